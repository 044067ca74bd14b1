/** The command line: its commands, and what becomes of their errors. */
import { Command, CommanderError } from 'commander';
import { VERSION } from '../version.ts';
import { addApps } from './commands/admin/apps.ts';
import { addKeys } from './commands/admin/keys.ts';
import { addNodes } from './commands/admin/nodes.ts';
import { addTokens } from './commands/admin/tokens.ts';
import { addUsage } from './commands/admin/usage.ts';
import { addAccess } from './commands/app/access.ts';
import { addChannels } from './commands/app/channels.ts';
import { addHistory } from './commands/app/history.ts';
import { addMembers } from './commands/app/members.ts';
import { addPublish } from './commands/app/publish.ts';
import { addRevoke } from './commands/app/revoke.ts';
import { addTail } from './commands/app/tail.ts';
import { addWebhooks } from './commands/app/webhooks.ts';
import { addAudit } from './commands/audit.ts';
import { addCompletion } from './commands/completion.ts';
import { addConfig } from './commands/config.ts';
import { addDev } from './commands/dev.ts';
import { addDoctor } from './commands/doctor.ts';
import { addImport } from './commands/import.ts';
import { addInit } from './commands/init.ts';
import { addLogin } from './commands/login.ts';
import { addStart } from './commands/start.ts';
import { report } from './failure.ts';
import { UsageError } from './usage-error.ts';

const ENDING = `
Exit codes: 0, 1 (failed), 2 (wrong command line or configuration), 3 (no broker was reached).
docs/command-line.md describes each command, docs/configuration.md each setting.`;

/** Runs `countersign ARGS`, and sets the exit code. */
export async function runCommandLine(args: readonly string[]): Promise<void> {
  const program = createProgram();
  try {
    if (args.length === 0) throw new UsageError('No command');
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return;
    report(
      error instanceof CommanderError ? usageError(error, program, args) : error,
      args.includes('--json'),
    );
  }
}

/** All commands; also what `completion` reads. */
export function createProgram(): Command {
  const program = new Command('countersign')
    .description('A pub/sub channel service with signed channel authorization.')
    .version(VERSION, '-v, --version', 'print the version')
    .helpOption('-h, --help', 'explain a command')
    .helpCommand(false)
    .addHelpText('after', ENDING)
    .exitOverride()
    // Errors are reported in one place, as text or as JSON.
    .configureOutput({ outputError: () => {}, writeErr: () => {} });
  for (const add of [
    addInit,
    addImport,
    addStart,
    addDev,
    addConfig,
    addLogin,
    addPublish,
    addChannels,
    addMembers,
    addHistory,
    addTail,
    addRevoke,
    addAccess,
    addWebhooks,
    addApps,
    addKeys,
    addTokens,
    addNodes,
    addUsage,
    addAudit,
    addDoctor,
    addCompletion,
  ]) {
    add(program);
  }
  return program;
}

/** What commander found wrong, in the style of the other messages. */
function usageError(
  { code, message }: CommanderError,
  program: Command,
  [name]: readonly string[],
): UsageError {
  if (code === 'commander.help') {
    const commands = program.commands.find((each) => each.name() === name)?.commands ?? [];
    const names = commands.map((each) => each.name()).join(', ');
    return new UsageError(`countersign ${name} needs a command: ${names}`);
  }
  const text = message.replace(/^error: /, '');
  return new UsageError(text.charAt(0).toUpperCase() + text.slice(1));
}
