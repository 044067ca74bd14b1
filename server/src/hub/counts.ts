import type { Logger } from 'pino';
import type { Bus, Topic, Version } from '../adapter/adapter.ts';
import type { App } from '../apps/app.ts';
import type { Channel } from '../protocol/channel.ts';

/** Up to this many subscriptions each change is told at once. */
const ALWAYS_TOLD = 100;
/** Milliseconds between two counts of a channel that has more. */
const INTERVAL_MS = 5000;

interface Count {
  readonly subscriptions: number;
  readonly version: Version;
}

/** Presence channels tell their members, and user channels are nobody else's business. */
export function tellsCount(app: App, { kind }: Channel): boolean {
  return app.subscriptionCount && kind !== 'presence' && kind !== 'user';
}

/** Tells subscribers how many they are: each change in small channels, at most every 5 seconds in big ones. */
export class CountAnnouncer {
  readonly #bus: Bus;
  readonly #log: Logger;
  /** Big channels whose last count is younger than the interval, and what changed since. */
  readonly #resting = new Map<Topic, { readonly timer: NodeJS.Timeout; latest: Count | undefined }>();

  constructor(bus: Bus, log: Logger) {
    this.#bus = bus;
    this.#log = log;
  }

  changed(topic: Topic, subscriptions: number, version: Version): void {
    const count = { subscriptions, version };
    const resting = this.#resting.get(topic);
    if (resting) {
      if (!resting.latest || resting.latest.version < version) resting.latest = count;
      return;
    }
    if (subscriptions > ALWAYS_TOLD) this.#rest(topic);
    this.#announce(topic, count);
  }

  /** Ends all waits; counts that were not told yet are lost. */
  close(): void {
    for (const { timer } of this.#resting.values()) clearTimeout(timer);
    this.#resting.clear();
  }

  #rest(topic: Topic): void {
    const timer = setTimeout(() => {
      const latest = this.#resting.get(topic)?.latest;
      this.#resting.delete(topic);
      if (latest) this.changed(topic, latest.subscriptions, latest.version);
    }, INTERVAL_MS);
    this.#resting.set(topic, { timer, latest: undefined });
  }

  #announce(topic: Topic, { subscriptions, version }: Count): void {
    this.#bus.publishCount(topic, subscriptions, version).catch((error: unknown) => {
      this.#log.error({ err: error, topic }, 'subscription count not told');
    });
  }
}
