/** `countersign channels`: which channels are occupied. */
import type { Command } from 'commander';
import { print, printJson, table } from '../../output.ts';
import { ask, findTarget, type TargetOptions, withTarget } from '../../target.ts';

interface Options extends TargetOptions {
  readonly prefix?: string;
  readonly info?: string;
}

export function addChannels(program: Command): void {
  withTarget(program.command('channels'))
    .description('List the occupied channels.')
    .option('--prefix <text>', 'only those whose names begin so')
    .option('--info <attributes>', 'columns to add: user_count (presence channels only), subscription_count')
    .addHelpText('after', '\nExample:\n  $ countersign channels --prefix presence- --info user_count')
    .action(list);
}

async function list(options: Options): Promise<void> {
  const target = await findTarget(options);
  const { prefix, info } = options;
  const answer = await ask(target, (sdk) => sdk.channels({ filterByPrefix: prefix, info }));
  if (options.json) return printJson(answer);
  const names = Object.keys(answer.channels).sort();
  if (!info) {
    for (const name of names) print(name);
    return;
  }
  const columns = info.split(',');
  const rows = names.map((name) => {
    const attributes = answer.channels[name] as Readonly<Record<string, number | undefined>>;
    return [name, ...columns.map((column) => attributes[column] ?? '')];
  });
  print(table(['channel', ...columns], rows));
}
