import { z } from 'zod';
import { KEY_USES } from '../../../apps/keys/key-usage.ts';
import { STEP_KINDS } from '../../recordings.ts';

const text = z.string();
const optionalText = text.optional();
const number = z.number();

export const revocationSchema = z.object({
  id: text,
  appId: text,
  target: z.object({
    userId: optionalText,
    channel: optionalText,
    channelPrefix: optionalText,
    socketId: optionalText,
    grantId: optionalText,
    key: optionalText,
  }),
  action: z.enum(['end', 'disconnect', 'reconnect', 'recheck']),
  reason: text,
  at: number,
  exceptSocketId: optionalText,
  spreadMs: number.optional(),
  isOfSignIns: z.boolean().optional(),
  outlawsUntil: number.optional(),
  blockedUntil: number.optional(),
});

const inChannel = { appId: text, channel: text, socketId: text };

const recordingSchema = z
  .object({ id: text, appId: text, userId: optionalText, socketId: optionalText, leftMs: number })
  .transform(({ userId, socketId, ...rest }) => ({ ...rest, userId, socketId }));
const stateSchema = z
  .object({
    id: text,
    appId: text,
    userId: optionalText,
    socketId: optionalText,
    leftMs: number,
    steps: number,
    dropped: number,
  })
  .transform(({ userId, socketId, ...rest }) => ({ ...rest, userId, socketId }));
const stepSchema = z.object({
  place: text,
  at: number,
  socketId: text,
  kind: z.enum(STEP_KINDS),
  details: z.object({
    event: optionalText,
    channel: optionalText,
    bytes: number.optional(),
    code: z.union([text, number]).optional(),
    reason: optionalText,
    user_id: optionalText,
    grant_id: optionalText,
    key: optionalText,
    expires_at: number.optional(),
  }),
});

/** What all nodes are asked. */
export const questionSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('revoke'), revocation: revocationSchema }),
  z.object({ kind: z.literal('lift'), appId: text, id: text }),
  z.object({
    kind: z.literal('supersede'),
    appId: text,
    userId: text,
    socketIds: z.array(text).readonly(),
    reason: text,
  }),
  z
    .object({
      kind: z.literal('held'),
      appId: text,
      userId: optionalText,
      channel: optionalText,
      after: text,
      limit: number,
    })
    .transform(({ userId, channel, ...rest }) => ({ ...rest, userId, channel })),
  z.object({ kind: z.literal('keyUses'), appId: text }),
  z.object({ kind: z.literal('reached'), connections: z.array(z.object(inChannel)).readonly() }),
  z.object({ kind: z.literal('record'), recording: recordingSchema }),
  z
    .object({ kind: z.literal('recorded'), appId: text, id: optionalText, after: text, limit: number })
    .transform(({ id, ...rest }) => ({ ...rest, id })),
  z.object({ kind: z.literal('forgetRecording'), appId: text, id: text }),
  z.object({ kind: z.literal('figures'), appIds: z.array(text).readonly() }),
  z.object({ kind: z.literal('nodeState') }),
  z.object({ kind: z.literal('readApps') }),
  z.object({ kind: z.literal('drain'), node: text }),
]);

const heldSchema = z
  .object({
    place: text,
    socketId: text,
    userId: optionalText,
    channel: text,
    since: number,
    id: optionalText,
    key: optionalText,
    issuedAt: number.optional(),
    expiresAt: number.optional(),
    mayPublish: z.boolean(),
  })
  .transform(({ userId, id, key, issuedAt, expiresAt, ...rest }) => ({
    ...rest,
    userId,
    id,
    key,
    issuedAt,
    expiresAt,
  }));

/** Empty where an answer says nothing of it. */
function listOf<Item extends z.ZodType>(item: Item) {
  return z.array(item).readonly().default([]);
}

/** What one node answers to whoever asked. A node of an older version leaves out what it does not know. */
export const confirmationSchema = z.object({
  question: text,
  node: text,
  answer: z.object({
    isPartial: z.boolean().default(false),
    subscriptions: number.default(0),
    connections: number.default(0),
    unanswered: number.default(0),
    held: listOf(heldSchema),
    reached: listOf(z.object({ ...inChannel, position: text, userId: optionalText })),
    recordings: listOf(stateSchema),
    steps: listOf(stepSchema),
    keyUses: z.record(text, z.partialRecord(z.enum(KEY_USES), number)).default({}),
    figures: listOf(
      z.object({
        appId: text,
        connections: number,
        messagesPerSecond: number,
        deliveriesPerSecond: number,
        requestsPerSecond: number,
      }),
    ),
    nodes: listOf(
      z.object({
        id: text,
        version: text,
        since: number,
        connections: number,
        load: number,
        state: z.enum(['ready', 'draining']),
      }),
    ),
  }),
});

export type NodeConfirmation = z.infer<typeof confirmationSchema>;
