import type { Logger } from 'pino';
import type { ChannelKind } from './protocol/channel.ts';

/** What happened in one app on this node since it started. Plain numbers: whoever publishes them reads them when asked. */
export class AppMetrics {
  /** Open connections. */
  connections = 0;
  /** Connections that were established. */
  connects = 0;
  /** Ended connections by close code. */
  readonly closes = new Map<number, number>();
  readonly subscriptions = zeroOfEachKind();
  /** Channels with a subscriber. */
  channels = 0;
  messagesIn = 0;
  bytesIn = 0;
  messagesOut = 0;
  bytesOut = 0;
  /** Events and news sent to one subscriber each. */
  deliveries = 0;
  /** Requests to publish by the status that they were answered with. */
  readonly publishes = new Map<number, number>();
  clientEvents = 0;
  /** Refusals by reason. */
  readonly refusals = new Map<string, number>();
  rateLimitHits = 0;
  slowReaders = 0;
  /** Requests to receivers of webhooks by what became of them. */
  readonly webhookAttempts = new Map<string, number>();
  /** Webhook deliveries that were given up. */
  webhookDeadLetters = 0;
  /** Webhook events that could not be committed. */
  webhookEventsLost = 0;
  /** Dead letters and events that had to go before their time, because there were too many. */
  readonly webhookForgotten = new Map<'dead_letter' | 'event', number>([
    ['dead_letter', 0],
    ['event', 0],
  ]);
}

/** What happened on this node since it started. */
export class Metrics {
  readonly apps = new Map<string, AppMetrics>();
  /** Handshakes that were refused, by close code. */
  readonly refusedHandshakes = new Map<number, number>();
  /** How often each bound of the broker itself was reached. */
  readonly bounds = new Map<string, number>();
  /** How often the link to what nodes share was down for so long that messages of a channel were missed for good. */
  gaps = 0;
  readonly #hidden = new Map<string, AppMetrics>();

  /** @param appId the id of a configured app, never a text from outside */
  app(appId: string): AppMetrics {
    let metrics = this.apps.get(appId) ?? this.#hidden.get(appId);
    if (!metrics) {
      metrics = new AppMetrics();
      this.apps.set(appId, metrics);
    }
    return metrics;
  }

  /** Keeps an app of the broker's own out of {@link apps}. */
  hide(appId: string): void {
    this.#hidden.set(appId, new AppMetrics());
  }
}

/** A count for each kind of channel, at 0. */
export function zeroOfEachKind(): Record<ChannelKind, number> {
  return { public: 0, private: 0, encrypted: 0, presence: 0, user: 0 };
}

/**
 * A bound of the broker was reached: counts and tells it.
 *
 * @param bound one of a fixed set (docs/security.md has the table)
 */
export function reached(metrics: Metrics, log: Logger, bound: string, fields: object = {}): void {
  increment(metrics.bounds, bound);
  log.warn({ ...fields, type: bound }, 'bound reached');
}

/** Counts more, one if nothing else is said, under a key from a fixed set. */
export function increment<K>(counts: Map<K, number>, key: K, by = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}
