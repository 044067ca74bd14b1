import type { Adapter, Missed, Snapshot, Version } from '../adapter/adapter.ts';
import type { Topic } from '../adapter/topic.ts';
import { type Frame, frames } from '../protocol/frames.ts';
import type { CacheMisses } from './cache-misses.ts';
import type { Channels } from './channels.ts';
import type { LocalChannel } from './local-channel.ts';
import type { Subscriber } from './subscriber.ts';
import type { Subscription } from './subscription.ts';
import { type CountAnnouncer, tellsCount } from './subscription-counts.ts';

/** After its node was cut off for long, tells each subscriber what it may have missed, or has it begin anew. */
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

  async missed({ topic, version, evicted }: Extract<Missed, { kind: 'messages' }>): Promise<void> {
    const local = this.#channels.get(topic);
    if (!local) return;
    local.missedUntil = Math.max(local.missedUntil, version);
    local.evictionMissed = Math.max(local.evictionMissed, evicted ?? 0);
    await this.bringUpToDate(topic, local);
  }

  /** Tells those whose snapshot is too old how the topic stands now. */
  async bringUpToDate(topic: Topic, local: LocalChannel): Promise<void> {
    // Whose subscription was ended is not known any more: whoever may still have his proves it again.
    for (const [subscriber, subscription] of [...local.all()]) {
      if (subscription.isOlderThan(local.evictionMissed)) {
        subscriber.renew('The node may have missed the end of a subscription');
      }
    }
    const behind = [...local.all()].filter(([, subscription]) => subscription.isBehind(local.missedUntil));
    if (behind.length === 0) return;
    for (const [, subscription] of behind) subscription.buffer();
    let state: State | undefined;
    try {
      const snapshot = await this.#adapter.roster.snapshot(topic);
      state = stateOf(topic, local, snapshot);
      if (tellsCount(local.app, local.channel)) this.#tellCount(topic, local, snapshot);
    } finally {
      for (const [subscriber, subscription] of behind) {
        // Who has left meanwhile is told nothing.
        if (local.get(subscriber) === subscription) this.#resume(subscriber, subscription, state);
      }
    }
  }

  /** Who was late has changed it, which all must be told; otherwise somebody has told it already, and not been heard here. */
  #tellCount(topic: Topic, local: LocalChannel, { subscriptions, version }: Snapshot): void {
    const wasLate = ([, subscription]: readonly [Subscriber, Subscription]) => subscription.isLate;
    if ([...local.all()].some(wasLate)) this.#counts.changed(topic, subscriptions, version);
    else local.deliver({ kind: 'count', topic, count: subscriptions, version });
  }

  #resume(subscriber: Subscriber, subscription: Subscription, state: State | undefined): void {
    let news: readonly Frame[];
    // Of two snapshots the one that was asked for first may come last.
    const isNews = state && !subscription.isAhead(state.version);
    try {
      news = subscription.resume(state?.version);
    } catch {
      return subscriber.renew('Too much happened while the node was cut off');
    }
    if (!state) return;
    if (state.roster && isNews) subscriber.send(state.roster);
    for (const frame of news) subscriber.send(frame);
    if (state.isCache) this.#tellLast(subscriber, subscription, state);
  }

  #tellLast(
    subscriber: Subscriber,
    subscription: Subscription,
    { topic, channel, last, missedUntil }: State,
  ): void {
    // Nothing that was missed arrives any more, and what is newer arrives by itself.
    let told = missedUntil;
    if (last && subscription.misses(last.version, missedUntil)) {
      subscriber.send(last.frame);
      told = Math.max(told, last.version);
    } else if (!last && !subscription.knowsEvents) {
      subscriber.send(frames.cacheMiss(channel));
      this.#cacheMisses.tell(topic);
    }
    subscription.markSeen(told);
  }
}

/** A topic as its subscribers are told it. */
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
