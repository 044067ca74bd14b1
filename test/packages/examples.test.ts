import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';

const run = promisify(execFile);
const root = new URL('../../', import.meta.url).pathname;

/** Names that an example may use without declaring them. */
const PRELUDES = {
  'sdk-client': `
    import type { ReactElement } from 'react';
    import { lazy, Suspense, useState } from 'react';
    import { Countersign, CountersignError, type AuthOptions, type ChannelAuthorization, type CountersignOptions,
      type PresenceChannel, type UserAuthentication } from '@countersign/sdk-client';
    import { CountersignDevtools } from '@countersign/sdk-client/devtools';
    import { CountersignProvider, type EventsOptions, hooksFor, useChannel, useChannelState, useConnectionState,
      useCountersign, useEvent, useEvents, useLatest, usePresence, useSubscription, useUser,
      } from '@countersign/sdk-client/react';
    declare const client: Countersign;
    declare const isDevelopment: boolean;`,
  'sdk-server': `
    import type { Express } from 'express';
    import { ArgumentError, Countersign, CountersignError, NetworkError, RequestError, TimeoutError, WebhookError,
      type CountersignOptions, type VerifyOptions, type WebhookKeys, WebhookReceiver } from '@countersign/sdk-server';
    import { type AddressLimitOptions, authRouter, type AuthRouterOptions, hasRole, inGroup, policy, webhookRouter,
      type WebhookRouterOptions } from '@countersign/sdk-server/express';
    import { bodyMd5, canonicalQuery, channelText, isChannelName, isSocketId, isUserId, parseProof, requestText, sign,
      signWebhook, userChannel, userOfChannel, userText, verify, verifyWebhook,
      webhookSecretKey, webhookText } from '@countersign/sdk-server/signature';
    declare const countersign: Countersign;
    declare const app: Express;`,
} as const;

/** What has to have an example: it is public, and an app calls, creates or fills it in. */
const DECLARATION =
  /^(?:export (?:async )?(?:abstract )?(?:function|class) (\w+)|export (?:interface|type) (\w*(?:Options|Authorization|Authentication))\b| {2}(?:async )?([a-z]\w*)(?:<[^(]*)?\()/;

interface Source {
  readonly path: string;
  readonly text: string;
}

async function sourcesOf(workspace: string): Promise<Source[]> {
  const folder = `${root}${workspace}/src/`;
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.ts'));
  return Promise.all(
    names.map(async (name) => ({ path: name, text: await readFile(folder + name, 'utf8') })),
  );
}

/** The code of each `@example`. */
function examplesOf({ path, text }: Source): { readonly name: string; readonly code: string }[] {
  return [...text.matchAll(/@example\n([\s\S]*?)\*\//g)].map(([, block = ''], index) => {
    const lines = block.split('\n').map((line) => line.replace(/^\s*\* ?/, ''));
    const code = /^```tsx?\n([\s\S]*?)\n```\s*$/.exec(lines.join('\n'))?.[1];
    if (code === undefined) throw new Error(`An example of ${path} is not one block of code: ${block}`);
    return { name: `${path.replace('.ts', '').replaceAll('/', '-')}-${index}`, code };
  });
}

/** The code for React in the README, which imports what the prelude does. */
async function examplesOfReadme(
  workspace: string,
): Promise<{ readonly name: string; readonly code: string }[]> {
  const text = await readFile(`${root}${workspace}/README.md`, 'utf8');
  return [...text.matchAll(/^```tsx\n([\s\S]*?)^```$/gm)].map(([, code = ''], index) => ({
    name: `readme-${index}`,
    code: code.replaceAll(/^import .*;$/gm, ''),
  }));
}

describe.each(['sdk-client', 'sdk-server'] as const)('the docstrings of %s', (workspace) => {
  test('have examples that compile', async () => {
    const folder = await mkdtemp(`${root}test/packages/.examples-`);
    onTestFinished(() => rm(folder, { recursive: true }));
    const ofReadme = await examplesOfReadme(workspace);
    expect(ofReadme.length > 2).toBe(workspace === 'sdk-client');
    const examples = [...(await sourcesOf(workspace)).flatMap(examplesOf), ...ofReadme];
    expect(examples.length).toBeGreaterThan(30);
    for (const { name, code } of examples) {
      // In a scope of its own, an example can declare the names of the prelude.
      const body = `${PRELUDES[workspace]}\nexport async function example() {\n${code}\n}\n`;
      await writeFile(`${folder}/${name}.tsx`, body);
    }
    const compilerOptions = {
      noUnusedLocals: false,
      noUnusedParameters: false,
      noEmit: true,
      incremental: false,
      composite: false,
      declaration: false,
      jsx: 'react-jsx',
      lib: ['es2023', 'dom', 'dom.iterable'],
      types: ['node'],
      skipLibCheck: true,
    };
    const config = { extends: '../../../tsconfig.json', compilerOptions, include: ['*.tsx'] };
    await writeFile(`${folder}/tsconfig.json`, JSON.stringify(config));
    const problems = await run(`${root}node_modules/.bin/tsc`, ['-p', folder], { cwd: folder }).then(
      () => '',
      (error: { stdout?: string }) => String(error.stdout || error),
    );
    expect(problems).toBe('');
  }, 60_000);

  test('have an example for each public class, method, function, hook and options interface', async () => {
    const entries =
      workspace === 'sdk-client' ? ['index', 'react', 'devtools'] : ['index', 'express', 'signature'];
    const sources = await sourcesOf(workspace);
    const exported = new Set(
      sources
        .filter(({ path }) => entries.includes(path.replace('.ts', '')))
        .flatMap(({ text }) => [...text.matchAll(/^export (?:type )?\{([^}]*)\} from|^export \w+ (\w+)/gm)])
        .flatMap(([, list = '', name = '']) => [...list.matchAll(/\w+/g)].map(([each]) => each).concat(name))
        .filter((name) => name !== ''),
    );
    const missing: string[] = [];
    for (const { path, text } of sources) {
      let owner = '';
      let doc = '';
      for (const piece of text.split(/^(?=\s*\/\*\*|export | {2}[a-z]|\})/m)) {
        const [declaration, owned = '', options, method] = DECLARATION.exec(piece) ?? [];
        if (/^\s*\/\*\*/.test(piece)) {
          doc = piece;
          continue;
        }
        if (/^export (abstract )?class /.test(piece)) owner = owned;
        if (piece.startsWith('}')) owner = '';
        const name = method ?? options ?? owned;
        const isPublic = exported.has(method ? owner : name) && name !== 'constructor';
        if (declaration && isPublic && !/@example|@internal/.test(doc)) missing.push(`${path}: ${name}`);
        doc = '';
      }
    }
    expect(missing).toEqual([]);
  });
});
