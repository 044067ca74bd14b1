import { z } from 'zod';
import { type AdminEndpoint, READERS } from '../endpoint.ts';
import { afterOf, cursorOf, limitOf, pageQuery } from '../pages.ts';
import { invalid } from '../problem.ts';
import { entryAnswer, listOf } from '../schemas.ts';

const when = z
  .string()
  .refine((text) => secondsOf(text) !== undefined, 'expected whole Unix seconds, or a time in ISO 8601')
  .optional();

const readAudit: AdminEndpoint = {
  operationId: 'readAudit',
  summary: 'Who changed what, newest first',
  method: 'GET',
  path: '/audit',
  roles: READERS,
  query: z.strictObject({
    ...pageQuery,
    app: z.string().max(64).optional().describe('The id of an app'),
    type: z.string().max(64).optional().describe('Such as "key.created"'),
    actor: z.string().max(64).optional().describe('The name of a token'),
    from: when.describe('Not before, in Unix seconds or ISO 8601'),
    to: when.describe('Before, in Unix seconds or ISO 8601'),
  }),
  status: 200,
  answer: listOf('events', entryAnswer),
  async run({ trail, actor, query }) {
    const after = afterOf(query);
    const before = after === undefined ? Number.MAX_SAFE_INTEGER : Number(after);
    if (!Number.isSafeInteger(before)) throw invalid('cursor', 'the "cursor" of a page before');
    const { app, type, actor: by, from, to } = query as Readonly<Record<string, string | undefined>>;
    const filter = { app, type, actor: by, from: secondsOf(from), to: secondsOf(to), apps: actor.apps };
    const { entries, next } = await trail.read(filter, before, limitOf(query));
    return {
      status: 200,
      body: { events: entries, ...(next !== undefined && { cursor: cursorOf(String(next)) }) },
    };
  },
};

export const auditEndpoints: readonly AdminEndpoint[] = [readAudit];

function secondsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,12}$/.test(text)) return Number(text);
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text)) return undefined;
  const milliseconds = Date.parse(text);
  return Number.isNaN(milliseconds) ? undefined : Math.floor(milliseconds / 1000);
}
