import { z } from 'zod';
import type { EventMessage, Message } from '../../adapter.ts';
import { RANGE_NAMES } from '../../figure-ranges.ts';
import type { Topic } from '../../topic.ts';
import { positionOf } from '../history/ids.ts';
import { questionSchema } from './question.ts';

const text = z.string();
/** A user in a presence channel, as stored in Redis. */
export const memberSchema = z.object({ userId: text, userInfo: z.exactOptional(text) });

export const eventSchema = z.object({
  kind: z.literal('event'),
  name: text,
  data: text,
  userId: text.optional(),
  except: text.optional(),
  sender: text.optional(),
  traceparent: text.optional(),
  /** Makes the position of an event of a history, with its version. */
  nonce: z.number().optional(),
});
const bodySchema = z.discriminatedUnion('kind', [
  eventSchema,
  z.object({ kind: z.literal('memberAdded'), member: memberSchema }),
  z.object({ kind: z.literal('memberRemoved'), userId: text }),
  z.object({ kind: z.literal('count'), count: z.int().min(0), version: z.number() }),
  z.object({ kind: z.literal('userOnline') }),
  z.object({ kind: z.literal('userOffline') }),
]);

const orderSchema = z.discriminatedUnion('kind', [
  z
    .object({
      kind: z.literal('watch'),
      appId: text,
      channel: text.optional(),
      socketId: text.optional(),
      range: z.enum(RANGE_NAMES).optional(),
    })
    .transform(({ kind, appId, channel, socketId, range }) => ({ kind, appId, channel, socketId, range })),
  z.object({
    kind: z.literal('question'),
    id: text,
    /** The channel on which the process that asks receives the answers. */
    replyTo: text,
    question: questionSchema,
  }),
]);

/** What nodes say to each other: commands, and questions with the way of their answers. */
export type Order = z.infer<typeof orderSchema>;

const envelopeSchema = z.object({
  /** The position of the message in its topic. */
  version: z.number(),
  /** The position of the previous message. */
  previous: z.number(),
  message: z.unknown(),
});

type Without<T, Key extends string> = T extends unknown ? Omit<T, Key> : never;

/** A message before a script gives it its version. */
export type Body = Without<Exclude<Message, EventMessage>, 'topic'> | z.infer<typeof eventSchema> | Order;

/** A message as it travels between nodes. */
export type Envelope = z.infer<typeof envelopeSchema>;

export function encodeBody(body: Body): string {
  return JSON.stringify(body);
}

/** @throws Error if the text is no envelope */
export function readEnvelope(json: string): Envelope {
  return envelopeSchema.parse(JSON.parse(json));
}

/**
 * The message in an envelope. A count has the version of the roster that was counted.
 *
 * @throws Error if it is no message
 */
export function messageOf(topic: Topic, { version, message }: Envelope): Message {
  const body = bodySchema.parse(message);
  if (body.kind === 'count') return { ...body, topic };
  if (body.kind !== 'event') return { ...body, topic, version };
  // Named one by one: to take the rest of an object costs more than all that is read before.
  const { kind, name, data, userId, except, sender, traceparent, nonce } = body;
  const position = nonce === undefined ? undefined : positionOf(topic, version, nonce);
  return { kind, topic, name, data, userId, except, sender, traceparent, version, position };
}

/** @throws Error if it is no order */
export function orderOf({ message }: Envelope): Order {
  return orderSchema.parse(message);
}
