/** `countersign access`: who can read what now. */
import type { Command } from 'commander';
import { showTime } from '../../arguments.ts';
import { print, printJson, table } from '../../output.ts';
import { ask, findTarget, type TargetOptions, withTarget } from '../../target.ts';
import { UsageError } from '../../usage-error.ts';

const PAGE = 1000;

interface Options extends TargetOptions {
  readonly user?: string;
  readonly channel?: string;
}

export function addAccess(program: Command): void {
  withTarget(program.command('access'))
    .description('List who can read what now: of a user, a channel, or both.')
    .option('--user <id>', 'what this user can read')
    .option('--channel <name>', 'who can read this channel')
    .addHelpText('after', '\nExample:\n  $ countersign access --channel private-team-7')
    .action(list);
}

async function list(options: Options): Promise<void> {
  const { user: userId, channel } = options;
  if (userId === undefined && channel === undefined)
    throw new UsageError('countersign access needs --user, --channel or both');
  const target = await findTarget(options);
  const subscriptions = await ask(target, async (sdk) => {
    const { subscriptions: found, cursor: next } = await sdk.access({ userId, channel, limit: PAGE });
    const all = [...found];
    for (let cursor = next; cursor !== undefined; ) {
      const page = await sdk.access({ userId, channel, limit: PAGE, cursor });
      all.push(...page.subscriptions);
      cursor = page.cursor;
    }
    return all;
  });
  if (options.json) return printJson({ subscriptions });
  print(
    table(
      ['user', 'channel', 'connection', 'since', 'ends', 'key', 'grant', 'may'],
      subscriptions.map(({ user_id, channel: name, socket_id, since, grant }) => [
        user_id ?? '-',
        name,
        socket_id,
        showTime(since),
        showTime(grant.expires_at),
        grant.key ?? '-',
        grant.id ?? '-',
        grant.may.join(' '),
      ]),
    ),
  );
}
