import type { HeldGrant } from '../../adapter/questions.ts';
import { ApiError } from '../../errors.ts';
import { byPlace } from '../../hub/revocation/held-grants.ts';
import type { Endpoint } from '../endpoint.ts';
import { readLimit } from '../requests/page.ts';
import { accessAnswer } from './answer-schemas.ts';

/** `GET access`: who can read what now, a page at a time. */
export const showAccess: Endpoint = {
  method: 'GET',
  path: 'access',
  publishes: false,
  scope: 'read',
  answer: accessAnswer,
  async run({ app, query, adapter }) {
    const [userId, channel] = [query.get('user_id') || undefined, query.get('channel') || undefined];
    if (userId === undefined && channel === undefined)
      throw new ApiError(400, 'invalid_parameter', 'Give "user_id", "channel" or both');
    const limit = readLimit(query);
    const after = query.get('cursor') ?? '';
    // One more than asked for shows whether there is another page.
    const { held, pending } = await adapter.nodes.ask({
      kind: 'held',
      appId: app.id,
      userId,
      channel,
      after,
      limit: limit + 1,
    });
    if (pending.length > 0) {
      throw new ApiError(503, 'unavailable', `No answer from ${pending.join(', ')}: try again`, {
        'Retry-After': '1',
      });
    }
    const sorted = [...held].sort(byPlace);
    const page = sorted.slice(0, limit);
    return {
      subscriptions: page.map(describe),
      ...(sorted.length > limit && { cursor: page.at(-1)?.place }),
    };
  },
};

function describe(held: HeldGrant): object {
  const { socketId, userId, channel, since, id, key, issuedAt, expiresAt, mayPublish } = held;
  return {
    socket_id: socketId,
    user_id: userId ?? null,
    channel,
    since,
    grant: {
      id: id ?? null,
      key: key ?? null,
      issued_at: issuedAt ?? null,
      expires_at: expiresAt ?? null,
      may: mayPublish ? ['subscribe', 'publish'] : ['subscribe'],
    },
  };
}
