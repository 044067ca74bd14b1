import { randomBytes } from 'node:crypto';
import { isSocketId } from '@countersign/sdk-server/signature';
import { z } from 'zod';
import type { Revocation } from '../../adapter/revocations.ts';
import { ApiError } from '../../errors.ts';
import { parseBody } from '../../http/body.ts';
import { describe } from '../../http/check.ts';
import { readChannel } from '../../protocol/channel.ts';
import { isWellFormed } from '../../protocol/well-formed.ts';
import { Accepted, type Endpoint } from '../endpoint.ts';
import { readLimit } from '../requests/page.ts';
import { nothingAnswer, revocationAnswer, revocationsAnswer } from './answer-schemas.ts';
import { boundsOf, OUTLAWS_MS, remarksOn, takeBack } from './take-back.ts';

const text = z.string().min(1).max(200).refine(isWellFormed, 'must not hold one half of a surrogate pair');
const socketId = z.string().refine(isSocketId, 'expected digits, a dot, digits');
const targetSchema = z.strictObject({
  user_id: text.max(128).optional(),
  channel: text.optional(),
  channel_prefix: text.optional(),
  socket_id: socketId.optional(),
  grant_id: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, 'expected 1 to 64 of A-Z a-z 0-9 _ -')
    .optional(),
  key: text.optional(),
});
const revocationSchema = z.strictObject({
  target: targetSchema,
  action: z.enum(['end', 'disconnect', 'reconnect', 'recheck']).default('end'),
  reason: text.optional(),
  block_seconds: z.int().min(0).max(31_536_000).default(0),
  spread_seconds: z.int().min(0).max(60).optional(),
  except_socket_id: socketId.optional(),
});
type Request = z.infer<typeof revocationSchema>;

const DEFAULT_REASON = 'The application revoked the grant';

/** `POST revocations`: takes back what was granted, on every node. */
export const makeRevocation: Endpoint = {
  method: 'POST',
  path: 'revocations',
  publishes: false,
  scope: 'revoke',
  answer: revocationAnswer,
  mayBeUnfinished: true,
  body: revocationSchema,
  async run(call) {
    const { app, body, adapter } = call;
    const request = read(parseBody(body), app.limits.channelNameLength);
    if (request.action === 'recheck' && !app.renewal) {
      throw new ApiError(
        409,
        'renewal_missing',
        'There is no backend to ask: "recheck" needs grants.renewal of the app',
      );
    }
    const startedAt = performance.now();
    const revocation = revocationOf(request, app.id, await adapter.revocations.now());
    const taken = await takeBack(call, revocation);
    const answer = {
      id: revocation.id,
      ended: { subscriptions: taken.subscriptions, connections: taken.connections },
      nodes: { acknowledged: taken.total - taken.pending.length, total: taken.total },
      ...(taken.unanswered > 0 && { unanswered: taken.unanswered }),
      took_ms: Math.round(performance.now() - startedAt),
      ...remarksOn(taken),
    };
    return taken.pending.length > 0 ? new Accepted(answer) : answer;
  },
};

/** `GET revocations`: those that are in force, a page at a time. */
export const listRevocations: Endpoint = {
  method: 'GET',
  path: 'revocations',
  publishes: false,
  scope: 'revoke',
  answer: revocationsAnswer,
  run({ app, query, hub }) {
    const limit = readLimit(query);
    const after = query.get('cursor') ?? '';
    const all = hub.revoker.list(app.id).filter((revocation) => placeOf(revocation) > after);
    const page = all.slice(0, limit);
    const last = page.at(-1);
    return {
      revocations: page.map(describeRevocation),
      ...(last && all.length > limit && { cursor: placeOf(last) }),
    };
  },
};

/** `DELETE revocations/ID`: lifts a block. */
export const liftBlock: Endpoint = {
  method: 'DELETE',
  path: 'revocations/:subject',
  publishes: false,
  scope: 'revoke',
  answer: nothingAnswer,
  async run({ app, subject, hub }) {
    if (await hub.revoker.lift(app.id, subject, boundsOf(app))) return {};
    throw new ApiError(
      404,
      'revocation_unknown',
      `No revocation "${subject.slice(0, 64)}" is in force: GET revocations lists those that are`,
    );
  },
};

function read(value: unknown, channelNameLength: number): Request {
  const result = revocationSchema.safeParse(value, { reportInput: true });
  if (!result.success) {
    const issue = result.error.issues[0]!;
    const unknown = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
    const path = [...issue.path, ...unknown].join('.').slice(0, 100) || 'the body';
    throw invalid(path, unknown.length > 0 ? 'no such field' : `${describe(issue.input)}: ${issue.message}`);
  }
  const request = result.data;
  const { target, action, block_seconds: block, spread_seconds: spread } = request;
  if (Object.values(target).every((each) => each === undefined)) {
    const names = Object.keys(targetSchema.shape).join(', ');
    throw invalid('target', `it names nobody: give at least one of ${names}`);
  }
  if (target.channel !== undefined && !readChannel(target.channel, channelNameLength)) {
    throw invalid('target.channel', `${describe(target.channel)} is not a channel name`);
  }
  if (spread !== undefined && action !== 'reconnect') {
    throw invalid('spread_seconds', 'only the action "reconnect" is spread');
  }
  const { user_id, channel, channel_prefix } = target;
  if (block > 0 && user_id === undefined && channel === undefined && channel_prefix === undefined) {
    throw invalid('block_seconds', 'a block needs target.user_id, target.channel or target.channel_prefix');
  }
  return request;
}

function invalid(field: string, why: string): ApiError {
  return new ApiError(400, 'revocation_invalid', `"${field}": ${why}`);
}

function revocationOf(request: Request, appId: string, at: number): Revocation {
  const { target, action, reason = DEFAULT_REASON, block_seconds: block } = request;
  const outlaws = action === 'end' || action === 'disconnect';
  return {
    id: `rev-${randomBytes(12).toString('hex')}`,
    appId,
    target: {
      userId: target.user_id,
      channel: target.channel,
      channelPrefix: target.channel_prefix,
      socketId: target.socket_id,
      grantId: target.grant_id,
      key: target.key,
    },
    action,
    reason,
    at,
    exceptSocketId: request.except_socket_id,
    spreadMs: (request.spread_seconds ?? 0) * 1000,
    outlawsUntil: outlaws ? at + OUTLAWS_MS : undefined,
    blockedUntil: block > 0 ? at + block * 1000 : undefined,
  };
}

/** Its place in the order of all: by time, and then by id. */
function placeOf({ at, id }: Revocation): string {
  return `${String(at).padStart(15, '0')}-${id}`;
}

function describeRevocation({ id, target, action, reason, at, blockedUntil }: Revocation): object {
  return {
    id,
    target: {
      user_id: target.userId,
      channel: target.channel,
      channel_prefix: target.channelPrefix,
      socket_id: target.socketId,
      grant_id: target.grantId,
      key: target.key,
    },
    action,
    reason,
    at_ms: at,
    blocked_until: blockedUntil === undefined ? null : Math.ceil(blockedUntil / 1000),
  };
}
