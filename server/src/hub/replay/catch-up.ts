import type { Adapter, Missed, Snapshot, Version } from '../../adapter/adapter.ts';
import type { Topic } from '../../adapter/topic.ts';
import { type Frame, frames } from '../../protocol/frames.ts';
import type { CacheMisses } from '../cache-misses.ts';
import type { Channels } from '../channels.ts';
import type { LocalChannel } from '../local-channel.ts';
import type { Subscriber } from '../subscriber.ts';
import { announcesCount, type CountAnnouncer } from '../subscription-counts.ts';
import type { News, Subscription } from '../subscriptions/subscription.ts';

/** Sends subscribers what they may have missed while this node was cut off, or makes them reconnect. */
export class CatchUp {
  readonly #adapter: Adapter;
  readonly #channels: Channels;
  readonly #counts: CountAnnouncer;
  readonly #cacheMisses: CacheMisses;

  constructor(parts: {
    readonly adapter: Adapter;
    readonly channels: Channels;
    readonly counts: CountAnnouncer;
    readonly cacheMisses: CacheMisses;
  }) {
    this.#adapter = parts.adapter;
    this.#channels = parts.channels;
    this.#counts = parts.counts;
    this.#cacheMisses = parts.cacheMisses;
  }

  async missed({ topic, version }: Extract<Missed, { kind: 'messages' }>): Promise<void> {
    const local = this.#channels.get(topic);
    if (!local) return;
    local.missedUntil = Math.max(local.missedUntil, version);
    await this.bringUpToDate(topic, local);
  }

  /** Sends the present state of a topic to the subscribers whose snapshot is too old. */
  async bringUpToDate(topic: Topic, local: LocalChannel): Promise<void> {
    // The history has what was missed: a capable client reconnects and learns whether it could be recovered.
    if (local.app.historyOf(local.channel.name)) {
      for (const [subscriber, subscription] of [...local.all()]) {
        if (subscriber.isCapable && subscription.isBehind(local.missedUntil)) {
          subscriber.reconnect('out_of_sync', 'The node may have missed events of a history');
        }
      }
    }
    const behind = [...local.all()].filter(([, subscription]) => subscription.isBehind(local.missedUntil));
    if (behind.length === 0) return;
    for (const [, subscription] of behind) subscription.buffer();
    let state: State | undefined;
    try {
      const snapshot = await this.#adapter.roster.snapshot(topic);
      state = stateOf(topic, local, snapshot);
      if (announcesCount(local.app, local.channel)) this.#sendCount(topic, local, snapshot);
    } finally {
      for (const [subscriber, subscription] of behind) {
        // A subscriber that has left in the meantime gets nothing.
        if (local.get(subscriber) === subscription) this.#resume(local, subscriber, subscription, state);
      }
    }
  }

  /** If one of our joins was queued, the count changed and we must announce it; otherwise another node already did. */
  #sendCount(topic: Topic, local: LocalChannel, { subscriptions, version }: Snapshot): void {
    const wasQueued = ([, subscription]: readonly [Subscriber, Subscription]) => subscription.hasNoSeat;
    if ([...local.all()].some(wasQueued)) this.#counts.changed(topic, subscriptions, version);
    else local.deliver({ kind: 'count', topic, count: subscriptions, version });
  }

  #resume(
    local: LocalChannel,
    subscriber: Subscriber,
    subscription: Subscription,
    state: State | undefined,
  ): void {
    let news: readonly News[];
    // Two snapshots may arrive in the reverse of the order in which they were requested.
    const isNews = state && !subscription.isAhead(state.version);
    try {
      news = subscription.resume(state?.version);
    } catch {
      return subscriber.reconnect('out_of_sync', 'Too much happened while the node was cut off');
    }
    if (!state) return;
    if (state.roster && isNews) subscriber.send(state.roster);
    local.sendWaiting(subscriber, news);
    if (state.isCache) this.#sendLast(local, subscriber, subscription, state);
  }

  #sendLast(
    { metrics }: LocalChannel,
    subscriber: Subscriber,
    subscription: Subscription,
    { topic, channel, last, missedUntil }: State,
  ): void {
    // Missed events do not arrive any more, and newer ones arrive by themselves.
    let seen = missedUntil;
    if (last && subscription.misses(last.version, missedUntil)) {
      subscriber.send(last.frame);
      metrics.usage.delivered += 1;
      seen = Math.max(seen, last.version);
    } else if (!last && !subscription.knowsEvents) {
      subscriber.send(frames.cacheMiss(channel));
      this.#cacheMisses.report(topic);
    }
    subscription.markSeen(seen);
  }
}

/** The state of a topic, as its subscribers get it. */
interface State {
  readonly topic: Topic;
  readonly channel: string;
  readonly version: Version;
  readonly missedUntil: Version;
  readonly isCache: boolean;
  readonly roster: Frame | undefined;
  readonly last: { readonly frame: Frame; readonly version: Version } | undefined;
}

function stateOf(
  topic: Topic,
  { channel: { name, kind, cache }, missedUntil }: LocalChannel,
  { version, members, last }: Snapshot,
): State {
  return {
    topic,
    channel: name,
    version,
    missedUntil,
    isCache: cache,
    roster: kind === 'presence' ? frames.subscriptionSucceeded(name, members) : undefined,
    last: last && { frame: frames.event(last.name, name, last.data), version: last.version },
  };
}
