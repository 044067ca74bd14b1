/** `countersign history`: the events that a channel keeps. */
import type { Command } from 'commander';
import { z } from 'zod';
import { readCount } from '../../arguments.ts';
import { expected } from '../../expected.ts';
import { note, painter, print, printJson } from '../../output.ts';
import { ask, findTarget, type TargetOptions, withTarget } from '../../target.ts';

const PAGE = 1000;

const eventSchema = z.looseObject({
  position: z.string(),
  name: z.string(),
  data: z.string(),
  user_id: z.string().optional(),
  at_ms: z.number(),
});
const pageSchema = z.looseObject({
  events: z.array(eventSchema),
  position: z.string(),
  complete: z.boolean(),
});

interface Options extends TargetOptions {
  readonly after?: string;
  readonly limit?: string;
}

export function addHistory(program: Command): void {
  withTarget(program.command('history'))
    .description('Print the events that a channel keeps, the oldest first.')
    .argument('<channel>')
    .option('--after <position>', 'only those after this position')
    .option('--limit <number>', 'at most so many; else all')
    .addHelpText('after', '\nExample:\n  $ countersign history news --limit 20')
    .action(history);
}

async function history(channel: string, options: Options): Promise<void> {
  const limit = options.limit === undefined ? Number.POSITIVE_INFINITY : readCount('--limit', options.limit);
  const target = await findTarget(options);
  const path = `/channels/${encodeURIComponent(channel)}/events`;
  const read = async (after: string | undefined, count: number) => {
    const params = { after, limit: Math.min(PAGE, count) };
    const answer = await ask(target, (sdk) => sdk.get({ path, params }));
    return expected(pageSchema, answer, `GET ${path}`);
  };
  let page = await read(options.after, limit);
  const events = [...page.events];
  while (!page.complete && events.length < limit) {
    page = await read(page.position, limit - events.length);
    events.push(...page.events);
  }
  if (options.json) return printJson({ events, position: page.position, complete: page.complete });
  const paint = painter(process.stdout);
  for (const { at_ms, name, data, user_id, position } of events) {
    const time = paint('dim', new Date(at_ms).toISOString());
    const from = user_id === undefined ? '' : paint('dim', ` from ${user_id}`);
    print(`${time} ${paint('dim', position)} ${paint('bold', name)}${from} ${data}`);
  }
  if (!page.complete) note(`There is more: --after ${page.position}`);
}
