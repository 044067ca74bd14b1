/** What the answers of the HTTP API look like: the OpenAPI document is made from it, and a test compares both with the broker. */
import { z } from 'zod';
import { auditTypes } from '../../audit/record.ts';

const count = z.int().min(0);
const cursor = { cursor: z.string().optional().describe('Of the next page') };
const remarks = {
  pending: z.array(z.string()).optional().describe('Nodes that have not confirmed it yet'),
  block_persisted: z.literal(false).optional().describe('The block is not on the disk yet'),
};
const counts = {
  user_count: count.optional(),
  subscription_count: count.optional(),
};
const position = { position: z.string().optional() };
const attributes = z.object({ ...counts, ...position });

export const nothingAnswer = z.strictObject({});

export const publishAnswer = z.object({ channels: z.record(z.string(), attributes).optional() });
export const batchAnswer = z.object({ batch: z.array(attributes).optional() });

export const channelsAnswer = z.object({ channels: z.record(z.string(), z.object(counts)) });
export const channelAnswer = z.object({
  occupied: z.boolean(),
  ...counts,
  ...position,
  cache: z.object({ data: z.string(), ttl: z.number() }).nullable().optional(),
});
export const membersAnswer = z.object({ users: z.array(z.object({ id: z.string() })) });

export const eventsAnswer = z.object({
  events: z.array(
    z.object({
      position: z.string(),
      name: z.string(),
      data: z.string(),
      user_id: z.string().optional(),
      at_ms: z.number(),
    }),
  ),
  position: z.string(),
  complete: z.boolean().describe('Whether these are all'),
});

export const signedInAnswer = membersAnswer.extend(cursor);
export const userAnswer = z.object({
  id: z.string(),
  connections: z.array(
    z.object({
      socket_id: z.string(),
      age_seconds: count,
      client: z.string().optional(),
      address: z.string().optional(),
      channels: z.array(z.string()),
    }),
  ),
});
export const terminatedAnswer = z.object(remarks);
export const removedAnswer = z.object({ removed: count, ...remarks });

const revocationTarget = z.object({
  user_id: z.string().optional(),
  channel: z.string().optional(),
  channel_prefix: z.string().optional(),
  socket_id: z.string().optional(),
  grant_id: z.string().optional(),
  key: z.string().optional(),
});
export const revocationAnswer = z.object({
  id: z.string(),
  ended: z.object({ subscriptions: count, connections: count }),
  nodes: z.object({ acknowledged: count, total: count }),
  unanswered: count.optional(),
  took_ms: count,
  ...remarks,
});
export const revocationsAnswer = z.object({
  revocations: z.array(
    z.object({
      id: z.string(),
      target: revocationTarget,
      action: z.string(),
      reason: z.string(),
      at_ms: z.number(),
      blocked_until: z.int().nullable(),
    }),
  ),
  ...cursor,
});

export const accessAnswer = z.object({
  subscriptions: z.array(
    z.object({
      socket_id: z.string(),
      user_id: z.string().nullable(),
      channel: z.string(),
      since: z.number(),
      grant: z.object({
        id: z.string().nullable(),
        key: z.string().nullable(),
        issued_at: z.number().nullable(),
        expires_at: z.number().nullable(),
        may: z.array(z.enum(['subscribe', 'publish'])),
      }),
    }),
  ),
  ...cursor,
});

const recording = z.object({
  id: z.string(),
  user_id: z.string().optional(),
  socket_id: z.string().optional(),
  ends_at: z.int(),
  goes_on: z.boolean(),
  steps: count,
  dropped: count,
});
const unheard = { pending: z.array(z.string()).optional().describe('Nodes that have not answered') };
export const recordingAnswer = recording.extend(unheard);
export const recordingsAnswer = z.object({ recordings: z.array(recording), ...unheard });
export const recordedAnswer = z.object({
  recording,
  steps: z.array(
    z.object({
      at_ms: z.number(),
      socket_id: z.string(),
      step: z.string(),
      ...Object.fromEntries(
        ['event', 'channel', 'reason', 'user_id', 'grant_id', 'key'].map((name) => [
          name,
          z.string().optional(),
        ]),
      ),
      bytes: count.optional(),
      code: z.union([z.string(), z.number()]).optional(),
      expires_at: z.number().optional(),
    }),
  ),
  ...cursor,
  ...unheard,
});
export const forgottenAnswer = z.object(unheard);

export const keysAnswer = z.object({
  keys: z.array(
    z.object({
      key: z.string(),
      state: z.string(),
      scopes: z.array(z.string()).nullish(),
      expires_at: z.int().nullable(),
      created_at: z.int().nullable(),
      last_used_at: z.record(z.string(), z.number().nullable()),
    }),
  ),
  ...unheard,
});

export const auditAnswer = z.object({
  records: z.array(
    z.object({
      seq: count,
      at_ms: z.number(),
      node: z.string(),
      type: z.enum(auditTypes),
      app: z.string(),
      ...Object.fromEntries(
        ['user_id', 'channel', 'socket_id', 'grant_id', 'key', 'address', 'actor', 'reason', 'code'].map(
          (name) => [name, z.string().optional()],
        ),
      ),
      prev: z.string(),
      hash: z.string(),
    }),
  ),
  ...cursor,
});

const deliveryCounts = z.object({ pending: count, failing: count, dead: count });
export const hooksAnswer = z.object({
  webhooks: z.array(
    z.object({
      id: z.string(),
      url: z.string(),
      events: z.array(z.string()),
      channel_prefix: z.string().optional(),
      state: z.string(),
      deliveries: deliveryCounts,
    }),
  ),
});
export const deliveriesAnswer = z.object({
  deliveries: z.array(
    z.object({
      id: z.string(),
      state: z.string(),
      lane: z.string(),
      events: z.array(z.looseObject({ name: z.string() })),
      committed_at: z.number(),
      due_at: z.number().optional(),
      tries: count,
      attempts: z.array(z.object({ at: z.number(), status: z.int().nullable(), answer: z.string() })),
    }),
  ),
  ...cursor,
});
export const retriedAnswer = z.object({ retried: count });
export const skippedAnswer = z.object({ skipped: count });
export const hookStateAnswer = z.object({ state: z.string() });
export const testedAnswer = z.object({ event: z.string().optional() });
export const webhookEventsAnswer = z.object({
  events: z.array(z.looseObject({ name: z.string() })),
  last_seq: count,
});
