import { z } from 'zod';
import type { App } from '../../apps/app.ts';
import type { Hook } from '../../apps/hook.ts';
import { ApiError } from '../../errors.ts';
import { parseBody } from '../../http/body.ts';
import { check } from '../../http/check.ts';
import type { HookStatus } from '../../webhooks/control.ts';
import type { Delivery, DeliveryState, Which } from '../../webhooks/outbox/outbox.ts';
import type { Call, Endpoint } from '../endpoint.ts';
import { readAfter, readLimit } from '../requests/page.ts';
import {
  deliveriesAnswer,
  hookStateAnswer,
  hooksAnswer,
  retriedAnswer,
  skippedAnswer,
  testedAnswer,
  webhookEventsAnswer,
} from './answer-schemas.ts';

/** One hook, as the answer describes it. */
export interface HookView extends HookStatus {
  readonly id: string;
  readonly url: string;
  readonly events: readonly string[];
  readonly channel_prefix?: string;
}

/** One delivery, as the answer describes it. */
export interface DeliveryView extends Pick<Delivery, 'id' | 'state' | 'tries' | 'attempts'> {
  /** A channel, or a user as "#user-ID". */
  readonly lane: string;
  readonly events: readonly { readonly name: string }[];
  readonly committed_at: number;
  /** Not of dead letters. */
  readonly due_at?: number;
}

const STATES = ['pending', 'failing', 'dead'] as const satisfies readonly DeliveryState[];
const whichSchema = z.object({
  deliveries: z.array(z.string()).min(1).max(1000).optional(),
  state: z.enum(STATES).optional(),
});

/** `GET webhooks`: the state of each hook. */
const listHooks: Endpoint = {
  method: 'GET',
  path: 'webhooks',
  publishes: false,
  scope: 'webhooks',
  answer: hooksAnswer,
  async run({ app, webhooks }) {
    const hooks = app.hooks.map(async (hook): Promise<HookView> => {
      const { state, deliveries } = await webhooks.statusOf(hook.key);
      const { id, url, events, channelPrefix: channel_prefix } = hook;
      return { id, url, events, ...(channel_prefix !== undefined && { channel_prefix }), state, deliveries };
    });
    return { webhooks: await Promise.all(hooks) };
  },
};

/** `GET webhooks/HOOK/deliveries`: what has not arrived, a page at a time. */
const listDeliveries: Endpoint = {
  method: 'GET',
  path: 'webhooks/:subject/deliveries',
  publishes: false,
  scope: 'webhooks',
  answer: deliveriesAnswer,
  async run(call) {
    const { query, webhooks } = call;
    const limit = readLimit(query);
    const state = readState(query.get('state'));
    // One more than asked for shows whether there is another page.
    const found = await webhooks.deliveries(
      namedHook(call.app, call.subject).key,
      state,
      readAfter(query, 'cursor'),
      limit + 1,
    );
    const page = found.slice(0, limit);
    const isMore = found.length > limit;
    return { deliveries: page.map(describe), ...(isMore && { cursor: String(page.at(-1)?.n) }) };
  },
};

/** `POST webhooks/HOOK/retry`: deliveries are sent at once, dead letters too. */
const retry = change('retry', { body: whichSchema, answer: retriedAnswer }, async (call, hook) => ({
  retried: await call.webhooks.retry(hook.key, readWhich(call)),
}));

/** `POST webhooks/HOOK/skip`: deliveries are given up for good. */
const skip = change('skip', { body: whichSchema, answer: skippedAnswer }, async (call, hook) => ({
  skipped: await call.webhooks.skip(hook.key, readWhich(call)),
}));

/** `POST webhooks/HOOK/pause`: deliveries wait until the hook is resumed. */
const pause = change('pause', { answer: hookStateAnswer }, async ({ webhooks }, hook) => {
  await webhooks.pause(hook.key);
  const { state } = await webhooks.statusOf(hook.key);
  return { state };
});

/** `POST webhooks/HOOK/resume`: goes on after a pause, or after the receiver has answered 410. */
const resume = change('resume', { answer: hookStateAnswer }, async ({ webhooks }, hook) => {
  await webhooks.resume(hook.key);
  const { state } = await webhooks.statusOf(hook.key);
  return { state };
});

/** `POST webhooks/HOOK/test`: sends an event named `test`. */
const test = change('test', { answer: testedAnswer }, async ({ webhooks }, hook) => ({
  event: await webhooks.test(hook.key),
}));

/** `GET webhook_events`: what happened, whether it arrived or not, for as long as it is kept. */
const listEvents: Endpoint = {
  method: 'GET',
  path: 'webhook_events',
  publishes: false,
  scope: 'webhooks',
  answer: webhookEventsAnswer,
  async run({ app, query, webhooks }) {
    const { events, lastSeq } = await webhooks.events(
      app.id,
      readAfter(query, 'after_seq'),
      readLimit(query),
    );
    return { events: events.map((event): unknown => JSON.parse(event)), last_seq: lastSeq };
  },
};

/** What an app can see of its webhooks, and do to them. */
export const webhookEndpoints: readonly Endpoint[] = [
  listHooks,
  listDeliveries,
  retry,
  skip,
  pause,
  resume,
  test,
  listEvents,
];

function change(
  name: string,
  schemas: Pick<Endpoint, 'body' | 'answer'>,
  run: (call: Call, hook: Hook) => Promise<object>,
): Endpoint {
  return {
    method: 'POST',
    path: `webhooks/:subject/${name}`,
    publishes: false,
    scope: 'webhooks',
    ...schemas,
    run: async (call) => run(call, namedHook(call.app, call.subject)),
  };
}

/** @throws ApiError 404 if the app has no such hook */
export function namedHook(app: App, name: string): Hook {
  const hook = app.hooks.find(({ id }) => id === name);
  if (hook) return hook;
  throw new ApiError(
    404,
    'webhook_not_found',
    `The app has no webhook "${name.slice(0, 64)}": GET webhooks lists them`,
  );
}

function readState(text = 'pending'): DeliveryState {
  const state = STATES.find((each) => each === text);
  if (state) return state;
  throw new ApiError(
    400,
    'invalid_parameter',
    `"state" is "${text.slice(0, 20)}": expected ${STATES.join(', ')}`,
  );
}

function readWhich({ body }: Call): Which {
  const { deliveries, state } = check(whichSchema, parseBody(body));
  if (deliveries && state === undefined) return { ids: deliveries };
  if (state && deliveries === undefined) return { state };
  throw new ApiError(
    400,
    'invalid_body',
    `Give "deliveries" (a list of ids) or "state" (${STATES.join(', ')}), and not both`,
  );
}

function describe({ id, state, lane, events, committedAt, dueAt, tries, attempts }: Delivery): DeliveryView {
  return {
    id,
    state,
    lane,
    events: JSON.parse(`[${events}]`),
    committed_at: committedAt,
    ...(state !== 'dead' && { due_at: dueAt }),
    tries,
    attempts,
  };
}
