import { z } from 'zod';
import { type AdminEndpoint, READERS } from '../http/endpoint.ts';
import { afterOf, cursorOf, limitOf, pageQuery } from '../http/pages.ts';
import { invalid } from '../http/problem.ts';
import { entryAnswer, listOf } from '../http/schemas.ts';
import { secondsOf, someTime } from '../http/times.ts';

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
    from: someTime.optional().describe('Not before, in Unix seconds or ISO 8601'),
    to: someTime.optional().describe('Before, in Unix seconds or ISO 8601'),
  }),
  status: 200,
  answer: listOf('events', entryAnswer),
  async run({ trail, actor, query }) {
    const after = afterOf(query);
    const before = after === undefined ? Number.MAX_SAFE_INTEGER : Number(after);
    if (!Number.isSafeInteger(before)) throw invalid('cursor', 'the "cursor" of a page before');
    const { app, type, actor: by, from, to } = query as Readonly<Record<string, string | undefined>>;
    const filter = { app, type, actor: by, from: timeOf(from), to: timeOf(to), apps: actor.apps };
    const { entries, next } = await trail.read(filter, before, limitOf(query));
    return {
      status: 200,
      body: { events: entries, ...(next !== undefined && { cursor: cursorOf(String(next)) }) },
    };
  },
};

export const auditEndpoints: readonly AdminEndpoint[] = [readAudit];

function timeOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : secondsOf(text);
}
