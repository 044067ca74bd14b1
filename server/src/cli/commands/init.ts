/** `countersign init`: a first configuration, with an app whose secret nobody can guess. */
import { randomBytes, randomInt } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { NEW_GRANTS } from '../../apps/app.ts';
import { CommandError } from '../failure.ts';
import { note, print, printJson } from '../output.ts';

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const ID_LENGTH = 8;

export function addInit(program: Command): void {
  program
    .command('init')
    .description('Write a configuration with one app that has a random secret.')
    .argument('[file]', 'where', 'countersign.json')
    .option('--json', 'print what was made as JSON')
    .addHelpText('after', '\nExample:\n  $ countersign init && countersign start --config countersign.json')
    .action(init);
}

async function init(file: string, { json }: { readonly json?: boolean }): Promise<void> {
  const app = newApp();
  const text = `${JSON.stringify({ apps: [app] }, null, 2)}\n`;
  try {
    await writeFile(file, text, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new CommandError(`${file} exists, and is not overwritten`, 'file_exists', { cause: error });
  }
  const [{ key }] = app.keys;
  if (json) return printJson({ file, app: app.id, key });
  print(file);
  note(
    `App ${app.id} has the key ${key}; its secret is in the file.\nStart it: countersign start --config ${file}`,
  );
}

/** An app that nobody else has. */
function newApp() {
  const id = Array.from({ length: ID_LENGTH }, () => BASE62[randomInt(BASE62.length)]).join('');
  const key = { key: randomBytes(10).toString('hex'), secret: randomBytes(32).toString('base64url') };
  return { id, keys: [key] as const, grants: NEW_GRANTS };
}
