import { isSocketId } from '@countersign/sdk-server/signature';
import { z } from 'zod';
import { ApiError } from '../../errors.ts';
import { parseBody } from '../../http/body.ts';
import { check, invalidChannel } from '../../http/check.ts';
import { readChannel } from '../../protocol/channel.ts';
import { isWellFormed } from '../../protocol/well-formed.ts';
import type { Endpoint } from '../endpoint.ts';
import { removedAnswer } from './answer-schemas.ts';
import { OUTLAWS_MS, remarksOn, stableId, takeBack } from './take-back.ts';
import { blockSchema, reasonSchema } from './users.ts';

const removeSchema = z.object({
  user_id: z
    .string()
    .min(1)
    .max(128)
    .refine(isWellFormed, 'must not hold one half of a surrogate pair')
    .optional(),
  socket_id: z.string().optional(),
  reason: reasonSchema,
  block: blockSchema,
});
const DEFAULT_REASON = 'The application ended the subscription';

/**
 * `POST channels/CHANNEL/subscriptions/remove`: ends the subscriptions of a user or of one connection. The
 * connections stay, and may not have this channel again by what they were given before. It is a revocation that ends.
 */
export const removeSubscriptions: Endpoint = {
  method: 'POST',
  path: 'channels/:subject/subscriptions/remove',
  publishes: false,
  scope: 'revoke',
  body: removeSchema,
  answer: removedAnswer,
  async run(call) {
    const { app, subject, body } = call;
    const channel = readChannel(subject, app.limits.channelNameLength);
    if (!channel) throw invalidChannel('the path', subject, app.limits.channelNameLength);
    const {
      user_id: userId,
      socket_id: socketId,
      reason = DEFAULT_REASON,
      block,
    } = check(removeSchema, parseBody(body), '');
    if ((userId === undefined) === (socketId === undefined)) {
      throw new ApiError(400, 'invalid_body', 'Give either "user_id" or "socket_id"');
    }
    if (socketId !== undefined && !isSocketId(socketId)) {
      throw new ApiError(400, 'invalid_socket_id', '"socket_id" must be digits, a dot, digits');
    }
    if (block !== undefined && userId === undefined) {
      throw new ApiError(400, 'invalid_body', '"block" keeps a user out: it needs "user_id"');
    }
    const at = await call.adapter.revocations.now();
    const taken = await takeBack(call, {
      id: stableId('remove', channel.name, userId ?? '', socketId ?? '', block === undefined ? '' : 'block'),
      appId: app.id,
      target: { channel: channel.name, userId, socketId },
      action: 'end',
      reason,
      at,
      outlawsUntil: at + OUTLAWS_MS,
      blockedUntil: block === undefined ? undefined : at + block * 1000,
    });
    return { removed: taken.subscriptions, ...remarksOn(taken) };
  },
};
