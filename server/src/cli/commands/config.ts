/** `countersign config`: whether a configuration can be used, and what it comes to. */
import type { Command } from 'commander';
import { describeConfig } from '../../config/description.ts';
import { loadConfig } from '../../config/load.ts';
import { findConfigFile } from '../config-file.ts';
import { note, print, printJson } from '../output.ts';
import { loadForStart } from '../start-config.ts';
import { UsageError } from '../usage-error.ts';

interface Options {
  readonly config?: string;
  readonly host?: string;
  readonly port?: string;
  readonly print?: boolean;
  readonly json?: boolean;
}

export function addConfig(program: Command): void {
  const config = withSources(program.command('config'))
    .description('Check or show the configuration that start would run with.')
    .option('--print', 'show it')
    .option('--json', 'print the answer as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  $ countersign config check --config countersign.json\n  $ countersign config --print --config countersign.json',
    )
    .action(printConfig);
  withSources(config.command('check'))
    .description('Check the configuration as start does; exit code 0 or 2.')
    .option('--json', 'print the answer as JSON')
    .addHelpText('after', '\nExample:\n  $ countersign config check --config countersign.json')
    .action((_options: Options, command: Command) => check(command.optsWithGlobals<Options>()));
}

function withSources(command: Command): Command {
  return command
    .option('--config <file>', 'JSON file (COUNTERSIGN_CONFIG); else countersign.json, if there is one')
    .option('--host <address>', 'overrides the file')
    .option('--port <number>', 'overrides the file');
}

async function printConfig(options: Options): Promise<void> {
  if (!options.print) throw new UsageError('countersign config needs --print, or check');
  const config = await loadConfig({ file: findConfigFile(options.config), env: process.env, flags: options });
  print(JSON.stringify(describeConfig(config), null, 2));
}

async function check(options: Options): Promise<void> {
  const file = findConfigFile(options.config);
  const { apps } = await loadForStart({ ...options, config: file });
  if (options.json) return printJson({ ok: true, ...(file !== undefined && { file }), apps: apps.length });
  note(`The configuration can be used; it has ${apps.length === 1 ? 'one app' : `${apps.length} apps`}.`);
}
