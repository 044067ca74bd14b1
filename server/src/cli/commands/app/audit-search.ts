/** `countersign audit search`: who was let in, who was refused, and what was taken back. */
import { type Command, Option } from 'commander';
import { z } from 'zod';
import { auditTypes } from '../../../audit/record.ts';
import { readCount, readTime } from '../../arguments.ts';
import { expected } from '../../expected.ts';
import { note, print, printJson, table } from '../../output.ts';
import { ask, findTarget, type TargetOptions, withTarget } from '../../target.ts';

const PAGE = 1000;

const recordSchema = z.looseObject({
  at_ms: z.number(),
  type: z.string(),
  user_id: z.string().optional(),
  channel: z.string().optional(),
  socket_id: z.string().optional(),
  key: z.string().optional(),
  code: z.string().optional(),
  reason: z.string().optional(),
});
const pageSchema = z.looseObject({ records: z.array(recordSchema), cursor: z.string().optional() });

interface Options extends TargetOptions {
  readonly type?: string;
  readonly user?: string;
  readonly channel?: string;
  readonly grant?: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit: string;
}

export function addAuditSearch(audit: Command): void {
  withTarget(audit.command('search'))
    .description('Find records of a running broker, the oldest first.')
    .addOption(new Option('--type <type>', 'only records of this type').choices(auditTypes))
    .option('--user <id>', 'only records about this user')
    .option('--channel <name>', 'only records about this channel')
    .option('--grant <id>', 'only records about this grant')
    .option('--from <time>', 'not before, in ISO 8601')
    .option('--to <time>', 'before, in ISO 8601')
    .option('--limit <number>', 'at most so many', '100')
    .addHelpText(
      'after',
      '\nExample:\n  $ countersign audit search --channel private-team-7 --from 2027-01-31T08:00:00Z',
    )
    .action(search);
}

async function search(options: Options): Promise<void> {
  const { type, user, channel, grant, from, to } = options;
  const limit = readCount('--limit', options.limit);
  const params = {
    type,
    user_id: user,
    channel,
    grant_id: grant,
    ...(from !== undefined && { from: readTime('--from', from) }),
    ...(to !== undefined && { to: readTime('--to', to) }),
  };
  const target = await findTarget(options);
  const records: z.infer<typeof recordSchema>[] = [];
  let cursor: string | undefined;
  do {
    const page = { ...params, cursor, limit: Math.min(PAGE, limit - records.length) };
    const answer = await ask(target, (sdk) => sdk.get({ path: '/audit', params: page }));
    const { records: found, cursor: next } = expected(pageSchema, answer, 'GET /audit');
    records.push(...found);
    cursor = next;
  } while (cursor !== undefined && records.length < limit);
  if (options.json) return printJson({ records, ...(cursor !== undefined && { cursor }) });
  print(
    table(
      ['time', 'type', 'user', 'channel', 'connection', 'key', 'why'],
      records.map(({ at_ms, type: kind, user_id, channel: name, socket_id, key, code, reason }) => [
        new Date(at_ms).toISOString(),
        kind,
        user_id ?? '-',
        name ?? '-',
        socket_id ?? '-',
        key ?? '-',
        [code, reason].filter((each) => each !== undefined).join(': '),
      ]),
    ),
  );
  if (cursor !== undefined) note(`There is more: raise --limit, or narrow --from and --to`);
}
