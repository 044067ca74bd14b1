import { z } from 'zod';
import type { Origin } from '../recorder.ts';

const text = z.string();
const topic = z.templateLiteral([z.string(), ':', z.string()]);
const reason = z.object({ reason: text.exactOptional() });

const happeningSchema = z.discriminatedUnion('kind', [
  reason.extend({ kind: z.enum(['occupied', 'vacated']), topic, socketId: text }),
  reason.extend({ kind: z.enum(['memberAdded', 'memberRemoved']), topic, userId: text, socketId: text }),
  reason.extend({ kind: z.enum(['userOnline', 'userOffline']), appId: text, userId: text, socketId: text }),
  z
    .object({
      kind: z.literal('clientEvent'),
      topic,
      name: text,
      data: text,
      userId: text.optional(),
      socketId: text,
      traceparent: text.optional(),
    })
    .transform((event) => ({ ...event, userId: event.userId, traceparent: event.traceparent })),
  z
    .object({
      kind: z.literal('grantExpired'),
      topic,
      userId: text.optional(),
      grantId: text.optional(),
      socketId: text,
    })
    .transform((event) => ({ ...event, userId: event.userId, grantId: event.grantId })),
  z
    .object({
      kind: z.literal('grantRevoked'),
      topic,
      userId: text.optional(),
      grantId: text.optional(),
      socketId: text,
      reason: text,
    })
    .transform((event) => ({ ...event, userId: event.userId, grantId: event.grantId })),
  z.object({
    kind: z.literal('quotaWarning'),
    appId: text,
    quota: text,
    limit: z.number(),
    used: z.number(),
    ratio: z.number(),
    resetsAt: z.number(),
  }),
  z.object({ kind: z.literal('cacheMiss'), topic }),
  z.object({ kind: z.literal('subscriptionCount'), topic, count: z.number() }),
]);

/** Domain events that one node writes together for the leader, and their origin. */
export interface JournalEntry extends Origin {
  /** Typed by the schema, so that an event that cannot be read back does not compile. */
  readonly happenings: readonly z.output<typeof happeningSchema>[];
}

const entrySchema = z.object({
  at: z.number(),
  isHandedOver: z.boolean(),
  happenings: z.array(happeningSchema),
});

/** @throws Error if the text is not a journal entry */
export function readJournalEntry(json: string): JournalEntry {
  return entrySchema.parse(JSON.parse(json));
}
