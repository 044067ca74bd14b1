/** `countersign revoke`: takes back what was granted, on every node. */
import { type Command, Option } from 'commander';
import { note, painter, print, printJson } from '../../output.ts';
import { ask, findTarget, type TargetOptions, withTarget } from '../../target.ts';
import { UsageError } from '../../usage-error.ts';

const ACTIONS = ['end', 'disconnect', 'reconnect', 'recheck'] as const;

interface Options extends TargetOptions {
  readonly user?: string;
  readonly channel?: string;
  readonly channelPrefix?: string;
  readonly socket?: string;
  readonly grant?: string;
  readonly signedBy?: string;
  readonly action?: (typeof ACTIONS)[number];
  readonly reason?: string;
  readonly block?: string;
}

export function addRevoke(program: Command): void {
  withTarget(program.command('revoke'))
    .description('Take back what was granted, on every node; all that is given must match.')
    .option('--user <id>', 'what this user holds')
    .option('--channel <name>', 'subscriptions to this channel')
    .option('--channel-prefix <text>', 'subscriptions to channels whose names begin so')
    .option('--socket <id>', 'what this connection holds')
    .option('--grant <id>', 'the grant with this id')
    .option('--signed-by <key>', 'what this key has signed')
    .addOption(new Option('--action <action>', 'what becomes of it; else end').choices(ACTIONS))
    .option('--reason <text>', 'for the clients, and for webhooks')
    .option('--block <seconds>', 'let them in no more for so long')
    .addHelpText(
      'after',
      `
Examples:
  $ countersign revoke --user 42 --channel private-team-7 --reason 'Left the team'
  $ countersign revoke --user 42 --action disconnect --block 3600`,
    )
    .action(revoke);
}

async function revoke(options: Options): Promise<void> {
  const { user, channel, channelPrefix, socket, grant, signedBy, action, reason, block } = options;
  const target = { userId: user, channel, channelPrefix, socketId: socket, grantId: grant, key: signedBy };
  if (Object.values(target).every((each) => each === undefined)) {
    throw new UsageError(
      'countersign revoke needs at least one of --user, --channel, --channel-prefix, --socket, --grant, --signed-by',
    );
  }
  const blockSeconds = block === undefined ? undefined : secondsOf(block);
  const broker = await findTarget(options);
  const answer = await ask(broker, (sdk) => sdk.revoke({ target, action, reason, blockSeconds }));
  if (options.json) return printJson(answer);
  const { id, ended, nodes, pending = [], unanswered = 0, took_ms } = answer;
  print(id);
  const paint = painter(process.stderr);
  note(
    `ended ${counted(ended.subscriptions, 'subscription')}, closed ${counted(ended.connections, 'connection')}`,
  );
  const confirmed = `${nodes.acknowledged} of ${counted(nodes.total, 'node')} confirmed in ${took_ms} ms`;
  note(paint(pending.length === 0 ? 'green' : 'yellow', confirmed));
  if (pending.length > 0) note(`not confirmed yet: ${pending.join(', ')}`);
  if (unanswered > 0) note(`the backend has not answered about ${counted(unanswered, 'grant')}`);
  if (answer.block_persisted === false) note('the block is not on the disk yet');
}

function secondsOf(text: string): number {
  if (/^\d{1,8}$/.test(text)) return Number(text);
  throw new UsageError(`--block: got "${text.slice(0, 100)}", expected seconds`);
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
