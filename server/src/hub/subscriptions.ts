import type { Logger } from 'pino';
import type { Access } from '../access/access.ts';
import { type Grant, PUBLIC_GRANT } from '../access/grant.ts';
import type { Adapter, Joined, LeaveReason } from '../adapter/adapter.ts';
import { type Topic, topicOf } from '../adapter/topic.ts';
import type { App } from '../apps/app.ts';
import { SubscriptionRefusal, Unavailable } from '../errors.ts';
import type { Channel } from '../protocol/channel.ts';
import { type Frame, frames, type Recovery } from '../protocol/frames.ts';
import type { CacheMisses } from './cache-misses.ts';
import type { Channels } from './channels.ts';
import type { LocalChannel } from './local-channel.ts';
import type { CatchUp } from './replay/catch-up.ts';
import { PreviousConnections } from './replay/previous-connections.ts';
import { Replay, type ReplayParts, type Resume } from './replay/replay.ts';
import type { Endings } from './revocation/endings.ts';
import type { Subscriber } from './subscriber.ts';
import { BufferOverflow, type News, Subscription } from './subscription.ts';
import { announcesCount, type CountAnnouncer } from './subscription-counts.ts';
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
    this.previous = new PreviousConnections(parts.adapter, parts.channels, parts.log);
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
      return this.#renew(local, subscriber, present, grant);
    }
    if (present) return this.#refresh(topic, local, subscriber, present, grant);

    const subscription = new Subscription(grant);
    local.addPending(subscriber, subscription);
    try {
      const joined = await this.#enter(topic, local, subscriber, grant);
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
      this.#acknowledge(local, subscriber, subscription, joined, replay?.recovery);
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

  /** Takes a seat if the grant is accepted. */
  async #enter(
    topic: Topic,
    local: LocalChannel,
    subscriber: Subscriber,
    grant: Grant,
  ): Promise<Joined | undefined> {
    const { app, channel } = local;
    if (channel.kind === 'public') {
      if (local.listening) await local.listening.catch(ignoreUnavailable);
      return this.#join(topic, local, subscriber, grant);
    }
    if (local.listening) await local.listening;
    // Others must not see a member join that is not let in.
    this.#access.checkValid(app, channel.name, subscriber, grant);
    const checked = this.#access.checkUnused(app, grant);
    if (checked) await checked;
    const joined = await this.#join(topic, local, subscriber, grant);
    const used = this.#access.use(app, grant);
    if (used) await used;
    return joined;
  }

  /** Returns `undefined` if the join is queued. */
  async #join(
    topic: Topic,
    { app, channel }: LocalChannel,
    subscriber: Subscriber,
    { member }: Grant,
  ): Promise<Joined | undefined> {
    const maxMembers = app.limits.presenceMembers;
    const position = app.historyOf(channel.name) !== undefined;
    // Without the history a client that understands it would have to guess what it missed.
    const mayBeLate = channel.kind === 'public' && !(position && subscriber.isCapable);
    const options = { member, maxMembers, mayBeLate, position };
    const joined = await this.#adapter.roster.join(topic, subscriber, options);
    if (joined === 'full') {
      throw new SubscriptionRefusal(
        'LimitReached',
        409,
        'channel_full',
        `The channel is full: it has ${maxMembers} members`,
      );
    }
    return joined === 'queued' ? undefined : joined;
  }

  #announceJoin(topic: Topic, local: LocalChannel, { version, subscriptions, last }: Joined): void {
    if (announcesCount(local.app, local.channel)) this.#counts.changed(topic, subscriptions, version);
    if (local.channel.cache && !last) this.#cacheMisses.report(topic);
    if (version >= local.missedUntil) return;
    this.#catchUp.bringUpToDate(topic, local).catch((error: unknown) => {
      this.#log.warn({ err: error, topic }, 'subscriber catch-up failed');
    });
  }

  #acknowledge(
    { channel }: LocalChannel,
    subscriber: Subscriber,
    { grant, term, position }: Subscription,
    joined: Joined | undefined,
    recovery?: Recovery,
  ): void {
    const extension = subscriber.isCapable ? { expires_at: term?.expiresAt, position, recovery } : undefined;
    subscriber.send(frames.subscriptionSucceeded(channel.name, grant.member && joined?.members, extension));
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
    await this.#renew(local, subscriber, present, grant);
  }

  /** Replaces the grant of a client that needs no new snapshot. */
  async #renew(
    local: LocalChannel,
    subscriber: Subscriber,
    subscription: Subscription,
    grant: Grant,
  ): Promise<void> {
    const { app, channel } = local;
    await this.#access.use(app, grant);
    this.#access.checkValid(app, channel.name, subscriber, grant);
    subscription.checkNotEnded();
    subscription.renew(grant);
    this.#terms.begin(local, subscriber, subscription);
    if (subscriber.isCapable)
      subscriber.send(frames.grantRenewed(channel.name, subscription.term?.expiresAt ?? null));
  }

  async #refresh(
    topic: Topic,
    local: LocalChannel,
    subscriber: Subscriber,
    subscription: Subscription,
    grant: Grant,
  ): Promise<void> {
    subscription.buffer();
    let news: readonly News[] = [];
    try {
      let joined = await this.#enter(topic, local, subscriber, grant);
      // The subscriber may have got a newer snapshot in the meantime.
      while (joined && subscription.isAhead(joined.version))
        joined = await this.#join(topic, local, subscriber, grant);
      this.#access.checkValid(local.app, local.channel.name, subscriber, grant);
      news = subscription.resume(joined?.version);
      subscription.renew(grant);
      this.#terms.begin(local, subscriber, subscription);
      this.#acknowledge(local, subscriber, subscription, joined);
    } catch (error) {
      // The subscription stays unchanged, unless it was ended in the meantime: then the join has taken its seat again.
      if (error instanceof BufferOverflow)
        subscriber.reconnect('out_of_sync', 'Too much happened while the channel was joined again');
      else if (local.get(subscriber) === subscription) news = subscription.resume();
      else await this.#endings.leave(topic, subscriber);
      throw error;
    } finally {
      local.sendWaiting(subscriber, news);
    }
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

function keptFrame(channel: string, { last }: Joined, { isCapable }: Subscriber): Frame {
  if (!last) return frames.cacheMiss(channel);
  const { name, data, position } = last;
  if (!isCapable || position === undefined) return frames.event(name, channel, data);
  return frames.extended(channel, { name, data, position }, false);
}

function ignoreUnavailable(error: unknown): void {
  if (!(error instanceof Unavailable)) throw error;
}
