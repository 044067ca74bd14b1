import { isUserId } from '@countersign/sdk-server/signature';
import { z } from 'zod';
import type { SeatedConnection } from '../../adapter/adapter.ts';
import { ApiError } from '../../errors.ts';
import { parseBody } from '../../http/body.ts';
import { check } from '../../http/check.ts';
import type { Call, Endpoint } from '../endpoint.ts';
import { readLimit } from '../requests/page.ts';
import { signedInAnswer, terminatedAnswer, userAnswer } from './answer-schemas.ts';
import { remarksOn, stableId, takeBack } from './take-back.ts';

/** Seconds that a user may be kept out at a time. */
export const blockSchema = z.int().min(1).max(31_536_000).optional();
/** Characters of a reason; a close frame holds the first 123 bytes of it. */
export const reasonSchema = z.string().min(1).max(500).optional();

/** Characters of an id, also of one that only presence channels know. */
const MAX_ID_LENGTH = 128;
const terminateSchema = z.object({ reason: reasonSchema, block: blockSchema });
const DEFAULT_REASON = 'Connection terminated by the application';

/** `POST users/USER_ID/terminate_connections`: closes what is signed in as this user, on every node. It is a revocation of sign-ins. */
export const terminateConnections: Endpoint = {
  method: 'POST',
  path: 'users/:subject/terminate_connections',
  publishes: false,
  scope: 'revoke',
  body: terminateSchema,
  answer: terminatedAnswer,
  async run(call) {
    const { app, subject, body } = call;
    if (subject.length > MAX_ID_LENGTH) {
      throw new ApiError(400, 'invalid_user_id', `The user id is longer than ${MAX_ID_LENGTH} characters`);
    }
    const { reason = DEFAULT_REASON, block } = check(
      terminateSchema,
      body.length > 0 ? parseBody(body) : {},
      '',
    );
    const at = await call.adapter.revocations.now();
    const taken = await takeBack(call, {
      id: stableId('terminate', subject),
      appId: app.id,
      target: { userId: subject },
      action: 'disconnect',
      isOfSignIns: true,
      reason,
      at,
      blockedUntil: block === undefined ? undefined : at + block * 1000,
    });
    return remarksOn(taken);
  },
};

/** `GET users`: who is signed in, a page at a time. */
export const listSignedIn: Endpoint = {
  method: 'GET',
  path: 'users',
  publishes: false,
  scope: 'read',
  answer: signedInAnswer,
  async run({ app, query, adapter }) {
    const limit = readLimit(query);
    const after = query.get('cursor') ?? '';
    // One more than asked for shows whether there is another page.
    const ids = await adapter.roster.users(app.id, after, limit + 1);
    const page = ids.slice(0, limit);
    return { users: page.map((id) => ({ id })), ...(ids.length > limit && { cursor: page.at(-1) }) };
  },
};

/** `GET users/USER_ID`: the connections of a signed-in user. */
export const showUser: Endpoint = {
  method: 'GET',
  path: 'users/:subject',
  publishes: false,
  scope: 'read',
  answer: userAnswer,
  async run(call) {
    const { app, subject, adapter } = call;
    if (!isUserId(subject))
      throw new ApiError(
        400,
        'invalid_user_id',
        `Invalid user id: expected 1 to 128 of A-Z a-z 0-9 _ - = @ , . ;`,
      );
    const connections = await adapter.roster.connections(app.id, subject);
    return { id: subject, connections: connections.map((connection) => describe(call, connection)) };
  },
};

function describe({ now }: Call, { seat, channels }: SeatedConnection): object {
  return {
    socket_id: seat.socketId,
    age_seconds: Math.max(0, Math.floor((now() - seat.since) / 1000)),
    client: seat.client,
    address: seat.address,
    channels,
  };
}
