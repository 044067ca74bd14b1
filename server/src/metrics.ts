import type { Logger } from 'pino';
import type { ChannelKind } from './protocol/channel.ts';
import type { Recovery } from './protocol/frames.ts';

/** What an app is billed by beside the counts of {@link AppMetrics}: plain numbers, too (docs/usage.md). */
export class UsageCounts {
  /** Events of the HTTP API, once for each channel. */
  published = 0;
  /** Bytes of the bodies of accepted publishes. */
  publishedBytes = 0;
  /** Event frames handed to a connection. */
  delivered = 0;
  /** Bytes of all frames to clients, without the headers of the frames. */
  payloadOut = 0;
  /** Handshakes, subscriptions, sign-ins, client events and requests that were refused. */
  refused = 0;
  /** Users in presence channels, each once for each channel. */
  members = 0;
  /** Milliseconds of the connections that have ended. */
  endedMs = 0;
  /** The sum of the times at which the open connections were opened, so that their age costs no look at each. */
  openedAt = 0;
}

/** Counts of one app on this node since it started. Plain numbers, which exporters read on demand. */
export class AppMetrics {
  readonly usage = new UsageCounts();
  /** Open connections. */
  connections = 0;
  /** Connections established. */
  connects = 0;
  /** Ended connections, by close code. */
  readonly closes = new Map<number, number>();
  readonly subscriptions = zeroOfEachKind();
  /** Channels with a subscriber. */
  channels = 0;
  messagesIn = 0;
  bytesIn = 0;
  messagesOut = 0;
  bytesOut = 0;
  /** Channel messages sent, counted for each subscriber. */
  deliveries = 0;
  /** Publish requests, by HTTP status. */
  readonly publishes = new Map<number, number>();
  /** Open sockets that publish, their frames without an answer, and how often one was not read until it had caught up. */
  readonly publishSockets = { open: 0, unanswered: 0, pauses: 0 };
  clientEvents = 0;
  /** What channels with a history keep. */
  readonly history = { events: 0, bytes: 0, evicted: 0 };
  /** What is known of publishes under an idempotency key, and requests of which nothing was published again. */
  readonly idempotency = { records: 0, bytes: 0, evicted: 0, repeated: 0 };
  /** Clients that came back to a channel with a position, by what they got. */
  readonly recoveries = new Map<Recovery['status'], number>([
    ['current', 0],
    ['replayed', 0],
    ['lost', 0],
  ]);
  /** Refusals, by reason. */
  readonly refusals = new Map<string, number>();
  rateLimitHits = 0;
  slowReaders = 0;
  /** Requests to renew grants, by outcome. */
  readonly renewalRequests = new Map<string, number>();
  /** Answers about single grants, by result. */
  readonly renewals = new Map<'renewed' | 'refused' | 'failed', number>();
  /** Requests for the keys of issuers of tokens, by outcome. */
  readonly tokenKeyRequests = new Map<string, number>();
  /** Webhook requests, by outcome. */
  readonly webhookAttempts = new Map<string, number>();
  /** Webhook deliveries that became dead letters. */
  webhookDeadLetters = 0;
  /** Webhook events that could not be recorded. */
  webhookEventsLost = 0;
  /** Dead letters and events that were dropped early, because there were too many. */
  readonly webhookForgotten = new Map<'dead_letter' | 'event', number>([
    ['dead_letter', 0],
    ['event', 0],
  ]);
}

/** Counts of this node since it started. */
export class Metrics {
  readonly apps = new Map<string, AppMetrics>();
  /** Refused handshakes, by close code. */
  readonly refusedHandshakes = new Map<number, number>();
  /** The number of times that each bound of the broker was reached. */
  readonly bounds = new Map<string, number>();
  /** The number of times that an outage lasted so long that messages of a channel were lost. */
  gaps = 0;
  /** Requests by which usage was pushed, by what became of them. */
  readonly usagePushes = new Map<string, number>();
  /** Audit records that were written, and those that found no room. */
  auditRecords = 0;
  auditRecordsLost = 0;
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

  /** Keeps an internal app of the broker out of {@link apps}. */
  hide(appId: string): void {
    this.#hidden.set(appId, new AppMetrics());
  }
}

/** A count for each kind of channel, at 0. */
export function zeroOfEachKind(): Record<ChannelKind, number> {
  return { public: 0, private: 0, encrypted: 0, presence: 0, user: 0 };
}

/**
 * Counts and logs that a bound of the broker was reached.
 *
 * @param bound one of a fixed set (docs/security.md has the table)
 */
export function reached(metrics: Metrics, log: Logger, bound: string, fields: object = {}): void {
  increment(metrics.bounds, bound);
  log.warn({ ...fields, type: bound }, 'bound reached');
}

/** Adds to the count of a key, which must be one of a fixed set. */
export function increment<K>(counts: Map<K, number>, key: K, by = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}
