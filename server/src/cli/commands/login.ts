/** `countersign login`: stores which broker and app the commands ask; `logout` forgets it. */
import type { Command } from 'commander';
import { z } from 'zod';
import { askAdmin } from '../admin-target.ts';
import { note, printJson } from '../output.ts';
import { DEFAULT_PROFILE, readProfiles, writeProfiles } from '../profiles.ts';
import { ask, findParts, findTarget, type TargetOptions, withTarget } from '../target.ts';
import { UsageError } from '../usage-error.ts';

export function addLogin(program: Command): void {
  withTarget(program.command('login'))
    .description('Store a broker, an app and its key as a profile.')
    .argument('[name]', 'name of the profile', DEFAULT_PROFILE)
    .option('--token <token>', 'admin token, for the commands that ask the admin API')
    .addHelpText(
      'after',
      '\nExamples:\n  $ countersign login staging --config countersign.json --url https://staging.example.com' +
        '\n  $ countersign login --url https://staging.example.com --token csa_…',
    )
    .action(login);
  program
    .command('logout')
    .description('Forget a profile.')
    .argument('[name]', 'name of the profile', DEFAULT_PROFILE)
    .option('--json', 'print the answer as JSON')
    .addHelpText('after', '\nExample:\n  $ countersign logout staging')
    .action(logout);
}

/** Stores nothing that the broker refuses. With an admin token it needs no app. */
async function login(name: string, options: TargetOptions & { readonly token?: string }): Promise<void> {
  const { token } = options;
  const { url, app, key, secret } =
    token === undefined ? await findTarget(options) : await findParts(options);
  const hasKey = app !== undefined && key !== undefined && secret !== undefined;
  if (token !== undefined) {
    const answer = z.looseObject({ openapi: z.string() });
    await askAdmin({ url, token, app }, { method: 'GET', path: '/openapi.json', answer });
  }
  if (hasKey) await ask({ url, app, key, secret }, (sdk) => sdk.channels());
  const profiles = new Map(await readProfiles(process.env));
  profiles.set(name, {
    url: url.href.replace(/\/$/, ''),
    ...(hasKey && { app, key, secret }),
    ...(token !== undefined && { token }),
  });
  const file = await writeProfiles(process.env, profiles);
  if (options.json) return printJson({ profile: name, file });
  note(`Profile ${name} is stored in ${file}.`);
}

async function logout(name: string, { json }: { readonly json?: boolean }): Promise<void> {
  const profiles = new Map(await readProfiles(process.env));
  if (!profiles.delete(name)) {
    throw new UsageError(
      `No profile is called "${name}"; there are ${[...profiles.keys()].join(', ') || 'none'}`,
    );
  }
  const file = await writeProfiles(process.env, profiles);
  if (json) return printJson({ profile: name, file });
  note(`Profile ${name} is gone from ${file}.`);
}
