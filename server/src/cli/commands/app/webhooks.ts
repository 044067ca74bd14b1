/** `countersign webhooks`: looks after the webhooks of a running broker. */
import type { Countersign } from '@countersign/sdk-server';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { printJson } from '../../output.ts';
import { ask, findTarget, type TargetOptions, withTarget } from '../../target.ts';
import { UsageError } from '../../usage-error.ts';

type Webhooks = Countersign['webhooks'];
type WhichDeliveries = Parameters<Webhooks['retry']>[1];
type DeliveryState = NonNullable<WhichDeliveries['state']>;

const STATES = ['pending', 'failing', 'dead'] as const satisfies readonly DeliveryState[];

interface Options extends TargetOptions {
  readonly state?: DeliveryState;
  readonly cursor?: string;
  readonly limit?: number;
}

const EXAMPLES = `
Examples:
  $ countersign webhooks ls --config countersign.json
  $ countersign webhooks show backend --state dead
  $ countersign webhooks retry backend --state dead`;

export function addWebhooks(program: Command): void {
  const webhooks = program
    .command('webhooks')
    .description('Look after the webhooks of a running broker.')
    .addHelpText('after', EXAMPLES);
  const state = () => new Option('--state <state>', 'deliveries in this state').choices(STATES);
  const add = (usage: string, description: string, example: string): Command =>
    withTarget(webhooks.command(usage))
      .description(description)
      .addHelpText('after', `\nExample:\n  $ countersign webhooks ${example}`);

  add('ls', 'Each webhook and how it stands.', 'ls').action((options: Options) =>
    answer(options, async (sdk) => ({ webhooks: await sdk.list() })),
  );
  add('show <hook>', 'Its deliveries: the pending ones, or those of a state.', 'show backend --state failing')
    .addOption(state())
    .option('--cursor <text>', 'the next page, as the one before says')
    .option('--limit <number>', 'deliveries of a page, 1 to 1000', limitOf)
    .action((hook: string, options: Options) => {
      const { state, cursor, limit } = options;
      return answer(options, (sdk) => sdk.deliveries(hook, { state, cursor, limit }));
    });
  add(
    'retry <hook> [delivery...]',
    'Send deliveries again: these, or all in a state.',
    'retry backend --state dead',
  )
    .addOption(state())
    .action((hook: string, deliveries: string[], options: Options) => {
      const which = whichOf('retry', deliveries, options);
      return answer(options, async (sdk) => ({ retried: await sdk.retry(hook, which) }));
    });
  add(
    'skip <hook> [delivery...]',
    'Give deliveries up: these, or all in a state.',
    'skip backend --state failing',
  )
    .addOption(state())
    .action((hook: string, deliveries: string[], options: Options) => {
      const which = whichOf('skip', deliveries, options);
      return answer(options, async (sdk) => ({ skipped: await sdk.skip(hook, which) }));
    });
  add('pause <hook>', 'Keep its deliveries.', 'pause backend').action((hook: string, options: Options) =>
    answer(options, async (sdk) => {
      await sdk.pause(hook);
      return { state: 'paused' };
    }),
  );
  add('resume <hook>', 'Go on with its deliveries.', 'resume backend').action(
    (hook: string, options: Options) =>
      answer(options, async (sdk) => {
        await sdk.resume(hook);
        return { state: 'active' };
      }),
  );
  add('test <hook>', 'Send it an event named test.', 'test backend').action(
    (hook: string, options: Options) => answer(options, async (sdk) => ({ event: await sdk.test(hook) })),
  );
}

async function answer(options: Options, question: (webhooks: Webhooks) => Promise<object>): Promise<void> {
  const target = await findTarget(options);
  printJson(await ask(target, ({ webhooks }) => question(webhooks)));
}

function limitOf(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text) && Number(text) <= 1000) return Number(text);
  throw new InvalidArgumentError('Expected 1 to 1000.');
}

function whichOf(command: string, deliveries: readonly string[], { state }: Options): WhichDeliveries {
  if (deliveries.length > 0 && state === undefined) return { deliveries };
  if (deliveries.length === 0 && state) return { state };
  throw new UsageError(`countersign webhooks ${command} needs deliveries, or --state and no deliveries`);
}
