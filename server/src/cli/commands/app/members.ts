/** `countersign members`: who is in a presence channel. */
import type { Command } from 'commander';
import { print, printJson } from '../../output.ts';
import { ask, findTarget, type TargetOptions, withTarget } from '../../target.ts';

export function addMembers(program: Command): void {
  withTarget(program.command('members'))
    .description('List the users in a presence channel.')
    .argument('<channel>')
    .addHelpText('after', '\nExample:\n  $ countersign members presence-lobby')
    .action(list);
}

async function list(channel: string, options: TargetOptions): Promise<void> {
  const target = await findTarget(options);
  const answer = await ask(target, (sdk) => sdk.presenceMembers(channel));
  if (options.json) return printJson(answer);
  for (const { id } of answer.users) print(id);
}
