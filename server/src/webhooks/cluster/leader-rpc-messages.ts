import { z } from 'zod';
import { OUTCOMES } from '../../outbound/http-client.ts';
import type { HookStatus, WebhookControl } from '../control.ts';
import type { HookHealth } from '../health/health.ts';
import { deliverySchema, hookKeySchema } from '../outbox/redis/deliveries.ts';

const hook = hookKeySchema;
const state = z.enum(['pending', 'failing', 'dead']);
const count = z.number();
const which = z.union([z.object({ ids: z.array(z.string()).readonly() }), z.object({ state })]);

const fared = { delivered: count, failed: count, p50: count.nullable(), p95: count.nullable() };
const healthSchema = z.object({
  total: z.object(fared),
  steps: z.array(z.object({ at: count, ...fared })),
  attempts: z.array(
    z.object({
      n: count,
      at: count,
      ms: count,
      delivery: z.string(),
      lane: z.string(),
      events: count,
      outcome: z.enum(OUTCOMES),
      status: count.nullable(),
      answer: z.string(),
      request: z.object({ headers: z.record(z.string(), z.string()), body: z.string() }),
    }),
  ),
}) satisfies z.ZodType<HookHealth>;

/** A request of a node to the leader. */
export const requestSchema = z.discriminatedUnion('what', [
  z.object({ what: z.enum(['statusOf', 'health', 'pause', 'resume', 'test']), hook }),
  z.object({ what: z.literal('deliveries'), hook, state, after: count, limit: count }),
  z.object({ what: z.enum(['retry', 'skip']), hook, which }),
  z.object({ what: z.literal('forgetApp'), appId: z.string() }),
  z.object({ what: z.literal('events'), appId: z.string(), afterSeq: count, limit: count }),
]);

export type LeaderRequest = z.infer<typeof requestSchema>;

/** Answers of the leader. */
const answers = {
  statusOf: z.object({
    state: z.enum(['active', 'paused', 'disabled']),
    deliveries: z.record(state, count),
  }) satisfies z.ZodType<HookStatus>,
  health: healthSchema,
  deliveries: z.array(deliverySchema),
  count,
  nothing: z.null().transform(() => undefined),
  test: z
    .string()
    .nullable()
    .transform((id) => id ?? undefined),
  events: z.object({ events: z.array(z.string()), lastSeq: count }),
};

/** Performs a request. */
export function perform(webhooks: WebhookControl, request: LeaderRequest): Promise<unknown> {
  switch (request.what) {
    case 'statusOf':
    case 'health':
    case 'pause':
    case 'resume':
    case 'test':
      return webhooks[request.what](request.hook);
    case 'deliveries':
      return webhooks.deliveries(request.hook, request.state, request.after, request.limit);
    case 'retry':
    case 'skip':
      return webhooks[request.what](request.hook, request.which);
    case 'forgetApp':
      return webhooks.forgetApp(request.appId);
    case 'events':
      return webhooks.events(request.appId, request.afterSeq, request.limit);
  }
}

/** Sends a request to the leader, and parses its answer. */
export type AskLeader = <Schema extends z.ZodType>(
  request: LeaderRequest,
  schema: Schema,
) => Promise<z.infer<Schema>>;

/** Forwards every call to the leader. */
export function controlOf(ask: AskLeader): WebhookControl {
  return {
    statusOf: (hook) => ask({ what: 'statusOf', hook }, answers.statusOf),
    health: (hook) => ask({ what: 'health', hook }, answers.health),
    deliveries: (hook, state, after, limit) =>
      ask({ what: 'deliveries', hook, state, after, limit }, answers.deliveries),
    retry: (hook, which) => ask({ what: 'retry', hook, which }, answers.count),
    skip: (hook, which) => ask({ what: 'skip', hook, which }, answers.count),
    pause: (hook) => ask({ what: 'pause', hook }, answers.nothing),
    resume: (hook) => ask({ what: 'resume', hook }, answers.nothing),
    test: (hook) => ask({ what: 'test', hook }, answers.test),
    forgetApp: (appId) => ask({ what: 'forgetApp', appId }, answers.nothing),
    events: (appId, afterSeq, limit) => ask({ what: 'events', appId, afterSeq, limit }, answers.events),
  };
}
