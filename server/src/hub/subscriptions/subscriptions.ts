import type { Logger } from 'pino';
import type { Access } from '../../access/access.ts';
import { type Grant, PUBLIC_GRANT } from '../../access/grant.ts';
import type { Adapter, Joined, LeaveReason } from '../../adapter/adapter.ts';
import { type Topic, topicOf } from '../../adapter/topic.ts';
import type { App } from '../../apps/app.ts';
import { SubscriptionRefusal } from '../../errors.ts';
import type { Metrics } from '../../metrics.ts';
import type { Channel } from '../../protocol/channel.ts';
import { frames } from '../../protocol/frames.ts';
import type { CacheMisses } from '../cache-misses.ts';
import type { Channels } from '../channels.ts';
import type { LocalChannel } from '../local-channel.ts';
import type { CatchUp } from '../replay/catch-up.ts';
import { PreviousConnections } from '../replay/previous-connections.ts';
import { Replay, type ReplayParts, type Resume } from '../replay/replay.ts';
import type { Endings } from '../revocation/endings.ts';
import type { Subscriber } from '../subscriber.ts';
import { announcesCount, type CountAnnouncer } from '../subscription-counts.ts';
import { Admission } from './admission.ts';
import { acknowledge, keptFrame } from './first-frames.ts';
import { Renewals } from './renewals.ts';
import { Subscription } from './subscription.ts';
import type { SubscriptionTerms } from './subscription-terms.ts';

/** Begins subscriptions, and ends them for their subscribers. */
export class Subscriptions {
  readonly #adapter: Adapter;
  readonly #channels: Channels;
  readonly #counts: CountAnnouncer;
  readonly #cacheMisses: CacheMisses;
  readonly #catchUp: CatchUp;
  readonly #endings: Endings;
  readonly #access: Access;
  readonly #terms: SubscriptionTerms;
  readonly #admission: Admission;
  readonly #renewals: Renewals;
  readonly previous: PreviousConnections;
  readonly #log: Logger;

  constructor(parts: {
    readonly adapter: Adapter;
    readonly channels: Channels;
    readonly counts: CountAnnouncer;
    readonly cacheMisses: CacheMisses;
    readonly catchUp: CatchUp;
    readonly endings: Endings;
    readonly access: Access;
    readonly terms: SubscriptionTerms;
    readonly metrics: Metrics;
    readonly log: Logger;
  }) {
    this.#adapter = parts.adapter;
    this.#channels = parts.channels;
    this.#counts = parts.counts;
    this.#cacheMisses = parts.cacheMisses;
    this.#catchUp = parts.catchUp;
    this.#endings = parts.endings;
    this.#access = parts.access;
    this.#terms = parts.terms;
    this.#log = parts.log;
    this.#admission = new Admission(parts.adapter, parts.access);
    this.#renewals = new Renewals({ ...parts, admission: this.#admission });
    this.previous = new PreviousConnections(parts);
  }

  /**
   * Subscribes, and sends `subscription_succeeded`, then the kept event or `cache_miss`. A repeated subscribe replaces
   * the grant, and sends a new snapshot or `grant_renewed`. While the adapter is unavailable, public channels still accept
   * subscribers, and send them the kept event when it is back. In a channel with a history, missed events follow the
   * acknowledgement.
   *
   * @param position where a client was that comes back and knows it
   * @throws SubscriptionRefusal if the presence channel is full, the user is blocked, or the grant is not accepted
   * @throws Unavailable if the adapter is unavailable
   */
  async subscribe(
    app: App,
    channel: Channel,
    subscriber: Subscriber,
    grant = PUBLIC_GRANT,
    position?: Resume,
  ): Promise<void> {
    // What it lost goes first, so that giving up the old seat does not take the new one.
    const untold = this.#endings.untold(subscriber);
    if (untold) await untold;
    const topic = topicOf(app.id, channel.name);
    const local = this.#channels.open(app, channel, topic);
    const present = local.get(subscriber);
    if (present?.isForAnother(grant)) throw forAnother();
    if (present && subscriber.isCapable && channel.kind !== 'public') {
      return this.#renewals.renew(local, subscriber, present, grant);
    }
    if (present) return this.#renewals.refresh(topic, local, subscriber, present, grant);

    const subscription = new Subscription(grant);
    local.addPending(subscriber, subscription);
    try {
      const joined = await this.#admission.admit(topic, local, subscriber, grant);
      const resume = position ?? (await this.previous.resumeOf(local, subscriber, grant));
      const wantsReplay = resume !== undefined || (app.historyOf(channel.name)?.rewind ?? 0) > 0;
      const parts = { topic, local, subscriber, subscription };
      const replay = wantsReplay ? await this.#beginReplay(parts, resume) : undefined;
      this.#access.checkValid(app, channel.name, subscriber, grant);
      // No await from here on, so that no message comes between the snapshot and the buffered messages.
      if (replay?.position !== undefined) subscription.hold();
      const news = subscription.start(joined?.version ?? 0);
      subscription.since = this.#access.seconds;
      local.activate(subscriber, subscription);
      local.metrics.subscriptions[channel.kind] += 1;
      this.#terms.begin(local, subscriber, subscription);
      const reached = replay?.position ?? joined?.position;
      subscription.reach(reached);
      if (!subscriber.isCapable && reached !== undefined) {
        const at = replay?.position === undefined ? local.monotonic() : Infinity;
        local.owe(subscriber, subscription, { at, position: replay?.begin ?? reached });
      }
      acknowledge(local, subscriber, subscription, joined, replay?.recovery);
      if (replay?.lost && !subscriber.isCapable)
        subscriber.send(frames.recoveryLost(channel.name, replay.lost));
      if (channel.cache && joined && !replay?.coversLast) {
        subscriber.send(keptFrame(channel.name, joined, subscriber));
        if (joined.last) local.metrics.usage.delivered += 1;
      }
      local.sendWaiting(subscriber, news);
      replay?.send();
      if (joined) this.#announceJoin(topic, local, joined);
    } catch (error) {
      // If the adapter failed, the join may have taken effect; leaving is harmless if it did not.
      await this.#endings.leave(topic, subscriber);
      throw error;
    } finally {
      local.removePending(subscriber);
      this.#channels.closeIfEmpty(topic, local);
    }
  }

  #beginReplay(parts: Omit<ReplayParts, 'history' | 'log'>, resume: Resume | undefined): Promise<Replay> {
    return Replay.begin({ ...parts, history: this.#adapter.history, log: this.#log }, resume);
  }

  /** Ends a subscription. The subscriber gets no further message of the channel. */
  async unsubscribe(app: App, channel: Channel, subscriber: Subscriber, reason: LeaveReason): Promise<void> {
    const topic = topicOf(app.id, channel.name);
    const local = this.#channels.get(topic);
    const subscription = local?.get(subscriber);
    if (!local || !subscription) return;
    const noted =
      reason === 'disconnected' ? this.previous.ended(local, subscriber, subscription) : undefined;
    local.remove(subscriber);
    local.metrics.subscriptions[channel.kind] -= 1;
    this.#channels.closeIfEmpty(topic, local);
    await noted;
    const left = await this.#endings.leave(topic, subscriber, reason);
    if (left && announcesCount(app, channel)) this.#counts.changed(topic, left.subscriptions, left.version);
  }

  /** A channel that has subscribers on this node. */
  channel(app: App, name: string): LocalChannel | undefined {
    return this.#channels.get(topicOf(app.id, name));
  }

  /** The acknowledged subscription of this subscriber to a channel. */
  get(app: App, channel: string, subscriber: Subscriber): Subscription | undefined {
    return this.channel(app, channel)?.get(subscriber);
  }

  /** The subscribers of a channel on this node. */
  of(app: App, channel: string): Iterable<readonly [Subscriber, Subscription]> {
    return this.channel(app, channel)?.all() ?? [];
  }

  /**
   * Replaces the grant of a subscription by one that the backend has signed. Clients that do not understand renewal are
   * not told.
   *
   * @throws SubscriptionRefusal if a client that sends the proof would be refused
   */
  async renew(app: App, channel: Channel, subscriber: Subscriber, grant: Grant): Promise<void> {
    const local = this.channel(app, channel.name);
    const present = local?.get(subscriber);
    if (!local || !present) return;
    if (present.isForAnother(grant)) throw forAnother();
    await this.#renewals.renew(local, subscriber, present, grant);
  }

  #announceJoin(topic: Topic, local: LocalChannel, { version, subscriptions, last }: Joined): void {
    if (announcesCount(local.app, local.channel)) this.#counts.changed(topic, subscriptions, version);
    if (local.channel.cache && !last) this.#cacheMisses.report(topic);
    if (version >= local.missedUntil) return;
    this.#catchUp.bringUpToDate(topic, local).catch((error: unknown) => {
      this.#log.warn({ err: error, topic }, 'subscriber catch-up failed');
    });
  }
}

function forAnother(): SubscriptionRefusal {
  return new SubscriptionRefusal(
    'AuthError',
    403,
    'grant_user_mismatch',
    'The subscription is that of another user',
  );
}
