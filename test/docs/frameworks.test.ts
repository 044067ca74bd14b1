/** The pages for Next.js, Nuxt and SvelteKit: their code compiles, and their routes sign for a real client. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { CountersignOptions, PresenceChannel } from '@countersign/sdk-client';
import { build } from 'esbuild';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { nextEvent, startClient } from '../helpers/clients/client-start.ts';
import { readersFolder, snippetsOf } from '../helpers/snippets.ts';

const TSC = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url));
const ANN = { id: '7', name: 'Ann' };
const TIMEOUT = 60_000;

type Route = (request: Request, user: typeof ANN | undefined) => Promise<Response>;

interface Framework {
  readonly page: string;
  /** The folders that imports begin with. */
  readonly aliases: Readonly<Record<string, string>>;
  /** What the framework and the app's login bring, by the names of files. */
  readonly around: Readonly<Record<string, string>>;
  readonly auth: string;
  readonly messages: string;
  /** Calls what a module of a route exports as the framework does. */
  call(module: Record<string, unknown>): Route;
}

const EVENT =
  'type Event = { readonly request: Request; readonly user: { id: string; name: string } | undefined };';
const HANDLER =
  'export type RequestHandler = (event: { request: Request; locals: { user?: { id: string; name: string } } }) => Promise<Response>;';

const frameworks: readonly Framework[] = [
  {
    page: 'nextjs',
    aliases: { '@': '.' },
    around: {
      'lib/session.ts': `export async function userOf(request: Request) {
        const id = request.headers.get('cookie');
        return id === null ? undefined : { id, name: 'Ann' };
      }`,
    },
    auth: 'app/countersign/auth/route.ts',
    messages: 'app/messages/route.ts',
    call:
      ({ POST }) =>
      (request, user) => {
        if (user) request.headers.set('cookie', user.id);
        return (POST as (request: Request) => Promise<Response>)(request);
      },
  },
  {
    page: 'nuxt',
    aliases: { '~~': '.' },
    around: {
      'imports.d.ts': `${EVENT}
        declare function defineEventHandler<Answer>(handler: (event: Event) => Answer): (event: Event) => Answer;
        declare function toWebRequest(event: Event): Request;
        declare function getUserSession(event: Event): Promise<{ user: Event['user'] }>;
        declare function defineNuxtPlugin<Plugin>(plugin: () => Plugin): Plugin;
        declare function useNuxtApp(): { $countersign: import('@countersign/sdk-client').Countersign };
        declare function ref<Value>(value: Value): { value: Value };
        declare function onMounted(hook: () => void): void;
        declare function onUnmounted(hook: () => void): void;`,
    },
    auth: 'server/routes/countersign/auth.post.ts',
    messages: 'server/routes/messages.post.ts',
    call: (module) => (request, user) =>
      (module['default'] as (event: object) => Promise<Response>)({ request, user }),
  },
  {
    page: 'sveltekit',
    aliases: { $lib: './src/lib', $env: './env' },
    around: {
      'env/dynamic/private.ts': 'export const env = process.env;',
      'src/routes/countersign/auth/$types.ts': HANDLER,
      'src/routes/messages/$types.ts': HANDLER,
      'runes.d.ts': `declare function $state<Value>(value: Value): Value;
        declare function $effect(effect: () => (() => void) | void): void;`,
    },
    auth: 'src/routes/countersign/auth/+server.ts',
    messages: 'src/routes/messages/+server.ts',
    call:
      ({ POST }) =>
      (request, user) =>
        (POST as (event: object) => Promise<Response>)({ request, locals: { user } }),
  },
];

for (const framework of frameworks) {
  describe(`the code of ${framework.page}.md`, { timeout: TIMEOUT }, () => {
    test('compiles', () => {
      const folder = project(framework, 6001);
      expect(compilerErrors(folder)).toBe('');
      // The compiler sees the files that are meant.
      writeFileSync(
        join(folder, dirname(framework.auth), 'wrong.ts'),
        'export const wrong: number = "text";',
      );
      expect(compilerErrors(folder)).toContain('TS2322');
    });

    test('signs for a client, which gets what the app publishes', async () => {
      const { broker, route } = await start(framework);
      const auth = await route(framework.auth);
      const messages = await route(framework.messages);
      const fetch: CountersignOptions['fetch'] = (url, init) =>
        auth(new Request(new URL(url, 'http://app.example'), init as RequestInit), ANN);
      const client = startClient(broker as never, { fetch, logLevel: 'silent' });
      const [lobby, inbox, other] = ['presence-lobby', 'private-user-7', 'private-user-8'].map((name) =>
        client.subscribe(name),
      );
      await expect(other!.ready).rejects.toMatchObject({ code: 'auth_failed', status: 403 });
      await inbox!.ready;
      expect(((await lobby!.ready) as PresenceChannel).members.me).toEqual({
        id: '7',
        info: { name: 'Ann' },
      });
      const message = nextEvent(lobby!, 'message');
      const sent = () => new Request('http://app.example/messages', { method: 'POST', body: 'Hello' });
      expect((await messages(sent(), ANN)).status).toBe(204);
      expect(await message).toEqual({ from: 'Ann', text: 'Hello' });
      expect((await messages(sent(), undefined)).status).toBe(401);
    });

    test('grants nothing to others, or for something else', async () => {
      const { route } = await start(framework);
      const auth = await route(framework.auth);
      const ask = async (body: string | URLSearchParams | null, user?: typeof ANN) =>
        (await auth(new Request('http://app.example/countersign/auth', { method: 'POST', body }), user))
          .status;
      const form = (socketId: string, channel: string) =>
        new URLSearchParams({ socket_id: socketId, channel_name: channel });
      expect(await ask(form('1.2', 'private-user-7'), ANN)).toBe(200);
      expect(await ask(form('1.2', 'private-user-7'))).toBe(401);
      expect(await ask(form('1.2', 'private-user-77'), ANN)).toBe(403);
      for (const body of [form('1.2:x', 'private-user-7'), form('1.2', 'a b'), form('', ''), '{}', null]) {
        expect(await ask(body, ANN), String(body)).toBe(400);
      }
    });
  });
}

/** Routes of the page, bundled as its framework does, beside a broker of theirs. */
async function start(framework: Framework) {
  vi.stubEnv('COUNTERSIGN_SECRET', APP.secret);
  vi.stubGlobal('defineEventHandler', (handler: unknown) => handler);
  vi.stubGlobal('toWebRequest', (event: { request: Request }) => event.request);
  vi.stubGlobal('getUserSession', async (event: { user: unknown }) => ({ user: event.user }));
  onTestFinished(() => {
    vi.unstubAllEnvs();
    vi.unstubAllGlobals();
  });
  const broker = await startServer();
  const folder = project(framework, broker.port);
  const route = async (file: string): Promise<Route> => {
    const outfile = join(folder, `${file}.mjs`);
    await build({
      entryPoints: [join(folder, file)],
      outfile,
      bundle: true,
      format: 'esm',
      platform: 'node',
      external: ['@countersign/*'],
      alias: Object.fromEntries(
        Object.entries(framework.aliases).map(([name, to]) => [name, join(folder, to)]),
      ),
    });
    return framework.call(await import(pathToFileURL(outfile).href));
  };
  return { broker, route };
}

/** The files of the page, and what is around them, in a folder. */
function project({ page, aliases, around }: Framework, port: number): string {
  const folder = readersFolder();
  const compilerOptions = {
    target: 'es2022',
    module: 'esnext',
    moduleResolution: 'bundler',
    lib: ['es2023', 'dom', 'dom.iterable'],
    types: ['node'],
    jsx: 'react-jsx',
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    paths: Object.fromEntries(Object.entries(aliases).map(([name, to]) => [`${name}/*`, [`${to}/*`]])),
  };
  const write = (file: string, text: string): void => {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  };
  write('tsconfig.json', JSON.stringify({ compilerOptions, include: ['**/*'], exclude: [] }));
  for (const [file, text] of Object.entries(around)) write(file, text);
  for (const [file, text] of snippetsOf(`${page}.md`)) {
    // Only the script of a component is TypeScript.
    const script = /<script [^>]*>([\s\S]*)<\/script>/.exec(text)?.[1];
    const code = script === undefined ? text : `${script}\nexport {};`;
    write(
      script === undefined ? file : `${file}.ts`,
      code.replace("'1'", `'${APP.id}'`).replace('dev-key', APP.key).replace('6001', String(port)),
    );
  }
  return folder;
}

function compilerErrors(folder: string): string {
  try {
    execFileSync(process.execPath, [TSC, '-p', folder], { stdio: 'pipe' });
    return '';
  } catch (error) {
    return String((error as { stdout: Buffer }).stdout);
  }
}
