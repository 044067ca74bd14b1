import type { Settings } from './options.ts';
import { type Call, request } from './request.ts';
import { readWebhookEvent, type WebhookEvent } from './webhook-event.ts';

/** What becomes of deliveries: they wait, they are tried again, or they were given up. */
export type DeliveryState = 'pending' | 'failing' | 'dead';

/** Whether a hook sends; `disabled` is one whose receiver has answered 410. */
export type HookState = 'active' | 'paused' | 'disabled';

/** One webhook of the app, as it is configured and as it stands. */
export interface HookStatus {
  readonly id: string;
  readonly url: string;
  readonly events: readonly string[];
  readonly channel_prefix?: string;
  readonly state: HookState;
  /** How many deliveries are in each state. */
  readonly deliveries: Readonly<Record<DeliveryState, number>>;
}

/** One try to deliver. */
export interface DeliveryAttempt {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Of the answer; null if there was none. */
  readonly status: number | null;
  /** The beginning of the answer, or why there was none. */
  readonly answer: string;
}

/** What has not arrived. */
export interface Delivery {
  /** The header `webhook-id` of every attempt. */
  readonly id: string;
  readonly state: DeliveryState;
  /** Within it deliveries keep their order: a channel, or a user as `#user-ID`. */
  readonly lane: string;
  readonly events: readonly WebhookEvent[];
  /** Milliseconds since 1970. */
  readonly committed_at: number;
  /** When it is tried next, in milliseconds since 1970; not of a dead one. */
  readonly due_at?: number;
  readonly tries: number;
  /** The last ones. */
  readonly attempts: readonly DeliveryAttempt[];
}

/** Which deliveries are meant: those of these ids, or all in one state. */
export type WhichDeliveries =
  | { readonly deliveries: readonly string[]; readonly state?: undefined }
  | { readonly state: DeliveryState; readonly deliveries?: undefined };

/** Which page of deliveries is answered: of one state, at most 100 or `limit` (1 to 1000), after those of the page whose `cursor` this is. */
export interface DeliveriesQuery {
  /** @default 'pending' */
  readonly state?: DeliveryState | undefined;
  readonly cursor?: string | undefined;
  readonly limit?: number | undefined;
}

/** A page of deliveries, and where the next one begins, if there is one. */
export interface DeliveriesAnswer {
  readonly deliveries: readonly Delivery[];
  readonly cursor?: string;
}

/** Events that the broker has kept, and the number of its newest. */
export interface EventsAnswer {
  readonly events: readonly WebhookEvent[];
  readonly last_seq: number;
}

/**
 * What the broker sends to the app, seen and mended. Hooks are named by the ids of the configuration. All calls reject
 * with a `RequestError`: 404 where there is no such hook.
 */
export class Webhooks {
  readonly #settings: Settings;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** Every webhook of the app, and how it stands. */
  async list(): Promise<readonly HookStatus[]> {
    const answer = (await this.#get('')) as { readonly webhooks: readonly HookStatus[] };
    return answer.webhooks;
  }

  /** What has not arrived, the oldest first. */
  async deliveries(hook: string, query: DeliveriesQuery = {}): Promise<DeliveriesAnswer> {
    const page = (await this.#get(`${pathOf(hook)}/deliveries`, { ...query })) as DeliveriesAnswer;
    const deliveries = page.deliveries.map((delivery) => ({
      ...delivery,
      events: delivery.events.map(readWebhookEvent),
    }));
    return { ...page, deliveries };
  }

  /** Sends deliveries at once, dead ones too. @returns how many */
  async retry(hook: string, which: WhichDeliveries): Promise<number> {
    return ((await this.#change(hook, 'retry', which)) as { readonly retried: number }).retried;
  }

  /** Gives deliveries up for good. @returns how many */
  async skip(hook: string, which: WhichDeliveries): Promise<number> {
    return ((await this.#change(hook, 'skip', which)) as { readonly skipped: number }).skipped;
  }

  /** Lets deliveries wait until {@link resume}. */
  async pause(hook: string): Promise<void> {
    await this.#change(hook, 'pause');
  }

  /** Goes on after a {@link pause}, or after the receiver has answered 410. */
  async resume(hook: string): Promise<void> {
    await this.#change(hook, 'resume');
  }

  /** Sends an event named `test`. @returns its id */
  async test(hook: string): Promise<string> {
    return ((await this.#change(hook, 'test')) as { readonly event: string }).event;
  }

  /**
   * What happened, whether it arrived or not, for a receiver that compares: at most 100 events, or `limit` (1 to 1000).
   *
   * @param afterSeq the `seq` of the last event that is known
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
