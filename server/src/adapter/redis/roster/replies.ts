import { z } from 'zod';
import type { KeptEvent, Seat } from '../../adapter.ts';
import type { Topic } from '../../topic.ts';
import { memberSchema, messageOf, readEnvelope } from '../messages/envelope.ts';

const flag = z.union([z.literal(0), z.literal(1)]).transform((bit) => bit === 1);
const text = z.string();
/** JSON of what a schema describes. */
function json<Schema extends z.ZodType>(schema: Schema) {
  return text.transform((value): unknown => JSON.parse(value)).pipe(schema);
}

/** What one seat that was removed changed. */
export interface SeatRemoval {
  readonly socketId: string;
  /** The user whose last seat it was. */
  readonly memberRemoved: string | undefined;
  /** It was the last seat of the topic. */
  readonly vacated: boolean;
}

const changeSchema = z.tuple([text, text, flag]).transform(([socketId, removed, vacated]): SeatRemoval => {
  return { socketId, memberRemoved: removed === '' ? undefined : text.parse(JSON.parse(removed)), vacated };
});

/** The answers of the scripts of rosters. */
export const replies = {
  join: z.union([
    z.literal('full'),
    z.tuple([z.number(), z.number(), flag, flag, json(z.array(memberSchema)), text, z.number(), text]),
  ]),
  leave: z.union([z.null(), z.tuple([z.number(), z.number(), changeSchema])]),
  reap: z.tuple([z.number(), z.number(), z.array(changeSchema)]),
  counts: z
    .tuple([z.number(), z.number(), z.number()])
    .transform(([subscriptions, members, version]) => ({ subscriptions, members, version })),
  snapshot: z.tuple([z.number(), z.number(), json(z.array(memberSchema)), text, z.number()]),
  kept: z.tuple([text, z.number()]),
  texts: z.array(text),
  flags: z.array(flag),
};

const seatSchema = z.object({ socketId: text, since: z.number(), client: text, address: text });

/** Reads the seats of a topic: socket ids and "NODE VERSION JSON" in turn. Answers them in the order of their versions. */
export function readSeats(answer: unknown): Seat[] {
  const parts = replies.texts.parse(answer);
  return parts
    .filter((_, index) => index % 2 === 1)
    .map((stored) => {
      const [, version] = stored.split(' ', 2);
      const json = stored.slice(stored.indexOf('{'));
      return { version: Number(version), seat: seatSchema.parse(JSON.parse(json)) };
    })
    .sort((a, b) => a.version - b.version)
    .map(({ seat }) => seat);
}

/** @param milliseconds for which it is still kept */
export function readKept(topic: Topic, json: string, milliseconds: number): KeptEvent | undefined {
  if (json === '' || milliseconds <= 0) return undefined;
  const envelope = readEnvelope(json);
  const message = messageOf(topic, envelope);
  if (message.kind !== 'event') throw new Error(`expected a kept event, got ${message.kind}`);
  const { version } = envelope;
  const { name, data, position } = message;
  return { name, data, version, position, ttlSeconds: Math.ceil(milliseconds / 1000) };
}
