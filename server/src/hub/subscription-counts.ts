import type { Logger } from 'pino';
import type { Adapter, Message, Version } from '../adapter/adapter.ts';
import { appOfTopic, channelOfTopic, type Topic } from '../adapter/topic.ts';
import type { App, AppStore } from '../apps/app.ts';
import { severityOf } from '../errors.ts';
import { type Channel, readChannel } from '../protocol/channel.ts';

/** Up to this many subscriptions, each change is announced at once. */
const MAX_UNTHROTTLED = 100;
/** Milliseconds between two announcements of a channel with more, over all nodes. */
const INTERVAL_MS = 5000;

interface Count {
  readonly subscriptions: number;
  readonly version: Version;
}

/** The state of a channel whose announcements are throttled. */
interface Throttle {
  /** The newest change that this node made. */
  changed: Version;
  /** The newest count that a node announced. */
  announced: Version;
  timer?: NodeJS.Timeout;
}

/** Whether the broker announces counts of a channel. Presence channels have their members, and user channels are private. */
export function announcesCount(app: App, { kind }: Channel): boolean {
  return app.subscriptionCount && kind !== 'presence' && kind !== 'user';
}

/**
 * Announces subscription counts to subscribers: each change in small channels, and at most one count in 5 seconds in
 * large ones, over all nodes. A node that changed a large channel tries to announce until a count that includes its
 * change was announced. So the last change is announced in the end. If that node ends before, the next change does it.
 */
export class CountAnnouncer {
  readonly #adapter: Adapter;
  readonly #apps: AppStore;
  readonly #log: Logger;
  readonly #throttled = new Map<Topic, Throttle>();
  #closed = false;

  constructor(adapter: Adapter, apps: AppStore, log: Logger) {
    this.#adapter = adapter;
    this.#apps = apps;
    this.#log = log;
  }

  /** This node changed the number of subscriptions. Cheap while the channel is throttled. */
  changed(topic: Topic, subscriptions: number, version: Version): void {
    const throttled = this.#throttled.get(topic);
    if (throttled) {
      throttled.changed = Math.max(throttled.changed, version);
    } else if (subscriptions > MAX_UNTHROTTLED) {
      const throttle = this.#begin(topic);
      throttle.changed = version;
      void this.#tryAnnounce(topic, throttle, { subscriptions, version });
    } else {
      this.#adapter.bus
        .publishCount(topic, subscriptions, version)
        .catch((error: unknown) => this.#logFailure(topic, error));
    }
  }

  /** The same for seats of a node that is gone. */
  lapsed(topic: Topic, { subscriptions, version }: Count): void {
    const app = this.#apps.byId(appOfTopic(topic));
    const channel = readChannel(channelOfTopic(topic));
    if (app && channel && announcesCount(app, channel)) this.changed(topic, subscriptions, version);
  }

  /** A node, perhaps this one, announced a count: starts to throttle a large channel, and stops for a small one. */
  announced({ topic, count, version }: Extract<Message, { kind: 'count' }>): void {
    const isLarge = count > MAX_UNTHROTTLED;
    const throttle = this.#throttled.get(topic) ?? (isLarge ? this.#begin(topic) : undefined);
    if (!throttle) return;
    throttle.announced = Math.max(throttle.announced, version);
    if (isLarge) this.#wait(topic, throttle, INTERVAL_MS);
    else if (throttle.changed <= throttle.announced) this.#end(topic, throttle);
  }

  /** Ends all timers. Counts that wait for their turn are lost. */
  close(): void {
    this.#closed = true;
    for (const { timer } of this.#throttled.values()) clearTimeout(timer);
    this.#throttled.clear();
  }

  #begin(topic: Topic): Throttle {
    const throttle = { changed: 0, announced: 0 };
    this.#throttled.set(topic, throttle);
    return throttle;
  }

  #end(topic: Topic, { timer }: Throttle): void {
    clearTimeout(timer);
    this.#throttled.delete(topic);
  }

  #wait(topic: Topic, throttle: Throttle, milliseconds: number): void {
    // The throttle may have ended while an announcement was in progress.
    if (this.#closed || this.#throttled.get(topic) !== throttle) return;
    clearTimeout(throttle.timer);
    throttle.timer = setTimeout(() => {
      if (throttle.changed > throttle.announced) void this.#tryAnnounce(topic, throttle);
      else this.#end(topic, throttle);
    }, milliseconds);
  }

  /**
   * Announces a count, or waits for the next interval if another node has announced one in this interval.
   *
   * @param count without it the roster is asked
   */
  async #tryAnnounce(topic: Topic, throttle: Throttle, count?: Count): Promise<void> {
    const { counters, roster, bus } = this.#adapter;
    try {
      const { hits, leftMs } = await counters.hit(`subscription_count:${topic}`, INTERVAL_MS);
      if (hits > 1) return this.#wait(topic, throttle, leftMs);
      const { subscriptions, version } = count ?? (await roster.counts(topic));
      await bus.publishCount(topic, subscriptions, version);
      // This node does not hear its own message if it has no subscriber of the channel.
      this.announced({ kind: 'count', topic, count: subscriptions, version });
    } catch (error) {
      this.#logFailure(topic, error);
      this.#wait(topic, throttle, INTERVAL_MS);
    }
  }

  #logFailure(topic: Topic, error: unknown): void {
    this.#log[severityOf(error)]({ err: error, topic }, 'failed to announce subscription count');
  }
}
