/** `countersign login`: stores which broker and app the commands ask; `logout` forgets it. */
import type { Command } from 'commander';
import { note, printJson } from '../output.ts';
import { DEFAULT_PROFILE, readProfiles, writeProfiles } from '../profiles.ts';
import { ask, findTarget, type TargetOptions, withTarget } from '../target.ts';
import { UsageError } from '../usage-error.ts';

export function addLogin(program: Command): void {
  withTarget(program.command('login'))
    .description('Store a broker, an app and its key as a profile.')
    .argument('[name]', 'name of the profile', DEFAULT_PROFILE)
    .addHelpText(
      'after',
      '\nExample:\n  $ countersign login staging --config countersign.json --url https://staging.example.com',
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

async function login(name: string, options: TargetOptions): Promise<void> {
  const target = await findTarget(options);
  await ask(target, (sdk) => sdk.channels());
  const { url, app, key, secret } = target;
  const profiles = new Map(await readProfiles(process.env));
  profiles.set(name, { url: url.href.replace(/\/$/, ''), app, key, secret });
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
