import { type Call, request } from '../broker/request.ts';
import type { Settings } from '../options.ts';
import { readWebhookEvent, type WebhookEvent } from './event.ts';

/** State of a delivery: it waits, it is tried again, or it is a dead letter. */
export type DeliveryState = 'pending' | 'failing' | 'dead';

/** State of a hook; `disabled` after its receiver responded with 410. */
export type HookState = 'active' | 'paused' | 'disabled';

/** Configuration and state of one webhook of the app. */
export interface HookStatus {
  readonly id: string;
  readonly url: string;
  readonly events: readonly string[];
  readonly channel_prefix?: string;
  readonly state: HookState;
  /** Number of deliveries in each state. */
  readonly deliveries: Readonly<Record<DeliveryState, number>>;
}

/** One attempt to deliver. */
export interface DeliveryAttempt {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Status of the response; null without a response. */
  readonly status: number | null;
  /** The beginning of the response, or the reason why there was none. */
  readonly answer: string;
}

/** A delivery that has not arrived. */
export interface Delivery {
  /** The header `webhook-id` of each attempt. */
  readonly id: string;
  readonly state: DeliveryState;
  /** Deliveries of a lane keep their order; a channel, or a user as `#user-ID`. */
  readonly lane: string;
  readonly events: readonly WebhookEvent[];
  /** Milliseconds since 1970. */
  readonly committed_at: number;
  /** Time of the next attempt, in milliseconds since 1970; absent for dead letters. */
  readonly due_at?: number;
  readonly tries: number;
  /** The last attempts. */
  readonly attempts: readonly DeliveryAttempt[];
}

/** Selects deliveries: by their ids, or all in one state. */
export type WhichDeliveries =
  | { readonly deliveries: readonly string[]; readonly state?: undefined }
  | { readonly state: DeliveryState; readonly deliveries?: undefined };

/** Options of `deliveries`. */
export interface DeliveriesQuery {
  /** State of the deliveries. @default 'pending' */
  readonly state?: DeliveryState | undefined;
  /** `cursor` of the previous page. */
  readonly cursor?: string | undefined;
  /** Deliveries of one page, 1 to 1000. @default 100 */
  readonly limit?: number | undefined;
}

/** A page of deliveries, and the start of the next page, if there is one. */
export interface DeliveriesAnswer {
  readonly deliveries: readonly Delivery[];
  readonly cursor?: string;
}

/** Events that the broker has kept, and the `seq` of its newest. */
export interface EventsAnswer {
  readonly events: readonly WebhookEvent[];
  readonly last_seq: number;
}

/**
 * The broker's webhook deliveries: monitors and repairs them. Hooks have the ids of the broker's configuration. Calls
 * reject with a `RequestError`, with status 404 for an unknown hook.
 *
 * @example
 * ```ts
 * for (const { id, state, deliveries } of await countersign.webhooks.list()) console.log(id, state, deliveries.dead);
 * ```
 */
export class Webhooks {
  readonly #settings: Settings;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /**
   * Returns all webhooks of the app with their state.
   * @example
   * ```ts
   * const hooks = await countersign.webhooks.list();
   * ```
   */
  async list(): Promise<readonly HookStatus[]> {
    const answer = (await this.#get('')) as { readonly webhooks: readonly HookStatus[] };
    return answer.webhooks;
  }

  /**
   * Returns a page of the deliveries that have not arrived, oldest first.
   * @example
   * ```ts
   * const { deliveries, cursor } = await countersign.webhooks.deliveries('main', { state: 'dead', limit: 10 });
   * ```
   */
  async deliveries(hook: string, query: DeliveriesQuery = {}): Promise<DeliveriesAnswer> {
    const page = (await this.#get(`${pathOf(hook)}/deliveries`, { ...query })) as DeliveriesAnswer;
    const deliveries = page.deliveries.map((delivery) => ({
      ...delivery,
      events: delivery.events.map(readWebhookEvent),
    }));
    return { ...page, deliveries };
  }

  /**
   * Retries deliveries at once, dead letters too.
   *
   * @returns the number of deliveries
   * @example
   * ```ts
   * const count = await countersign.webhooks.retry('main', { state: 'dead' });
   * ```
   */
  async retry(hook: string, which: WhichDeliveries): Promise<number> {
    return ((await this.#change(hook, 'retry', which)) as { readonly retried: number }).retried;
  }

  /**
   * Removes deliveries without sending them.
   *
   * @returns the number of deliveries
   * @example
   * ```ts
   * const count = await countersign.webhooks.skip('main', { state: 'dead' });
   * ```
   */
  async skip(hook: string, which: WhichDeliveries): Promise<number> {
    return ((await this.#change(hook, 'skip', which)) as { readonly skipped: number }).skipped;
  }

  /**
   * Pauses the hook: its deliveries wait until {@link resume}.
   * @example
   * ```ts
   * await countersign.webhooks.pause('main');
   * ```
   */
  async pause(hook: string): Promise<void> {
    await this.#change(hook, 'pause');
  }

  /**
   * Resumes the hook after a {@link pause}, or after its receiver responded with 410.
   * @example
   * ```ts
   * await countersign.webhooks.resume('main');
   * ```
   */
  async resume(hook: string): Promise<void> {
    await this.#change(hook, 'resume');
  }

  /**
   * Sends an event named `test`.
   *
   * @returns the id of the event
   * @example
   * ```ts
   * const eventId = await countersign.webhooks.test('main');
   * ```
   */
  async test(hook: string): Promise<string> {
    return ((await this.#change(hook, 'test')) as { readonly event: string }).event;
  }

  /**
   * Returns events whether delivered or not, so that a receiver can find missing ones: 100 or `limit` (1 to 1000).
   *
   * @param afterSeq the `seq` of the last known event
   * @example
   * ```ts
   * const { events, last_seq } = await countersign.webhooks.events(41, 1000);
   * ```
   */
  async events(afterSeq = 0, limit?: number): Promise<EventsAnswer> {
    const params = { after_seq: afterSeq, limit };
    const page = (await request(this.#settings, {
      method: 'GET',
      path: '/webhook_events',
      params,
    })) as EventsAnswer;
    return { ...page, events: page.events.map(readWebhookEvent) };
  }

  #get(path: string, params: Call['params'] = {}): Promise<unknown> {
    return request(this.#settings, { method: 'GET', path: `/webhooks${path}`, params });
  }

  #change(hook: string, verb: string, body: object = {}): Promise<unknown> {
    return request(this.#settings, { method: 'POST', path: `/webhooks${pathOf(hook)}/${verb}`, body });
  }
}

function pathOf(hook: string): string {
  return `/${encodeURIComponent(hook)}`;
}
