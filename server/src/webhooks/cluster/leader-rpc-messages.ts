import { z } from 'zod';
import { deliverySchema, hookKeySchema } from '../outbox/redis-deliveries.ts';
import type { HookStatus, WebhookControl } from '../webhooks.ts';
import type { LeaderRpc } from './leader-rpc.ts';

const hook = hookKeySchema;
const state = z.enum(['pending', 'failing', 'dead']);
const count = z.number();
const which = z.union([z.object({ ids: z.array(z.string()).readonly() }), z.object({ state })]);

/** What a node asks the clerk. */
export const requestSchema = z.discriminatedUnion('what', [
  z.object({ what: z.enum(['statusOf', 'pause', 'resume', 'test']), hook }),
  z.object({ what: z.literal('deliveries'), hook, state, after: count, limit: count }),
  z.object({ what: z.enum(['retry', 'skip']), hook, which }),
  z.object({ what: z.literal('events'), appId: z.string(), afterSeq: count, limit: count }),
]);

export type LeaderRequest = z.infer<typeof requestSchema>;

/** What the clerk answers. */
const answers = {
  statusOf: z.object({
    state: z.enum(['active', 'paused', 'disabled']),
    deliveries: z.record(state, count),
  }) satisfies z.ZodType<HookStatus>,
  deliveries: z.array(deliverySchema),
  count,
  nothing: z.null().transform(() => undefined),
  test: z
    .string()
    .nullable()
    .transform((id) => id ?? undefined),
  events: z.object({ events: z.array(z.string()), lastSeq: count }),
};

/** Does what was asked. */
export function perform(webhooks: WebhookControl, request: LeaderRequest): Promise<unknown> {
  switch (request.what) {
    case 'statusOf':
    case 'pause':
    case 'resume':
    case 'test':
      return webhooks[request.what](request.hook);
    case 'deliveries':
      return webhooks.deliveries(request.hook, request.state, request.after, request.limit);
    case 'retry':
    case 'skip':
      return webhooks[request.what](request.hook, request.which);
    case 'events':
      return webhooks.events(request.appId, request.afterSeq, request.limit);
  }
}

/** What the clerk can be asked, whichever node that is. */
export function controlOf(counter: LeaderRpc): WebhookControl {
  return {
    statusOf: (hook) => counter.ask({ what: 'statusOf', hook }, answers.statusOf),
    deliveries: (hook, state, after, limit) =>
      counter.ask({ what: 'deliveries', hook, state, after, limit }, answers.deliveries),
    retry: (hook, which) => counter.ask({ what: 'retry', hook, which }, answers.count),
    skip: (hook, which) => counter.ask({ what: 'skip', hook, which }, answers.count),
    pause: (hook) => counter.ask({ what: 'pause', hook }, answers.nothing),
    resume: (hook) => counter.ask({ what: 'resume', hook }, answers.nothing),
    test: (hook) => counter.ask({ what: 'test', hook }, answers.test),
    events: (appId, afterSeq, limit) =>
      counter.ask({ what: 'events', appId, afterSeq, limit }, answers.events),
  };
}
