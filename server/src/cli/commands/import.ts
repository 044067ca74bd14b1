/** `countersign import`: a configuration from that of another server. */
import { writeFile } from 'node:fs/promises';
import { Argument, type Command } from 'commander';
import { ConfigError } from '../../config/error.ts';
import { parseConfig } from '../../config/load.ts';
import { refuseGuessable } from '../../config/secrets.ts';
import { CommandError } from '../failure.ts';
import { readDocument, type SourceDocument } from '../import/documents.ts';
import type { Imported } from '../import/draft.ts';
import { importPusher } from '../import/pusher.ts';
import { importReverb } from '../import/reverb.ts';
import { importSockudo } from '../import/sockudo.ts';
import { importSoketi } from '../import/soketi.ts';
import { note, print, printJson } from '../output.ts';

const SOURCES = {
  pusher: importPusher,
  soketi: importSoketi,
  reverb: importReverb,
  sockudo: importSockudo,
} as const satisfies Readonly<Record<string, (document: SourceDocument) => Imported>>;

type Kind = keyof typeof SOURCES;

interface Options {
  readonly out?: string;
  readonly json?: boolean;
}

export function addImport(program: Command): void {
  program
    .command('import')
    .description('Make a configuration from that of another server, and say what has no counterpart.')
    .addArgument(new Argument('<kind>', 'what the file is of').choices(Object.keys(SOURCES)))
    .argument('<file>', 'its configuration: JSON, or .env of pusher and reverb')
    .option('--out <file>', 'write it there, for its user only; else it is printed')
    .option('--json', 'print {"config", "ignored"} as JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ countersign import soketi soketi.json --out countersign.json
  $ countersign import pusher .env | countersign config check --config /dev/stdin`,
    )
    .action(run);
}

async function run(kind: Kind, file: string, { out, json }: Options): Promise<void> {
  const { config, ignored } = SOURCES[kind](await readDocument(file));
  checkUsable(config);
  const text = JSON.stringify(config, null, 2);
  if (out !== undefined) await write(out, `${text}\n`);
  if (json) return printJson({ config, ignored });
  print(out ?? text);
  const apps = config.apps?.length ?? 0;
  note(`${apps === 1 ? 'One app was' : `${apps} apps were`} taken over.`);
  for (const { path, why } of ignored) note(`not taken over: ${path}: ${why}`);
}

/** What start would refuse is not written: the file that was read is wrong there. */
function checkUsable(config: Imported['config']): void {
  if (!config.apps?.length) throw new CommandError('The file has no app', 'incomplete');
  try {
    refuseGuessable(parseConfig(config));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new CommandError(`The file holds what cannot be used here. ${error.message}`, 'unusable', {
      cause: error,
    });
  }
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new CommandError(`${file} exists, and is not overwritten`, 'file_exists', { cause: error });
  }
}
