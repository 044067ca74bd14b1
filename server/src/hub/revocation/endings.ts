import { userChannel } from '@countersign/sdk-server/signature';
import type { Logger } from 'pino';
import type { Access } from '../../access/access.ts';
import { grantExpired, userOf, whyInvalid } from '../../access/grant.ts';
import type { Adapter, Left } from '../../adapter/adapter.ts';
import type { Journal } from '../../adapter/journal.ts';
import { type Topic, topicOf } from '../../adapter/topic.ts';
import type { App } from '../../apps/app.ts';
import { inTurns } from '../../async/in-turns.ts';
import { SubscriptionRefusal, severityOf } from '../../errors.ts';
import type { Channel } from '../../protocol/channel.ts';
import type { Channels } from '../channels.ts';
import type { LocalChannel } from '../local-channel.ts';
import type { Subscriber } from '../subscriber.ts';
import { announcesCount, type CountAnnouncer } from '../subscription-counts.ts';
import type { Subscription } from '../subscriptions/subscription.ts';
import type { Concerned } from './concerned.ts';

/** Ends subscriptions against the will of their subscribers: the application takes their grant back, or it is not valid any more. */
export class Endings {
  readonly #adapter: Adapter;
  readonly #journal: Journal;
  readonly #channels: Channels;
  readonly #counts: CountAnnouncer;
  readonly #access: Access;
  readonly #log: Logger;
  /** Connections that have lost subscriptions, until they were told. */
  readonly #untold = new Map<Subscriber, Promise<unknown>>();
  /** Resolves when all that has ended so far was told. */
  #telling: Promise<unknown> = Promise.resolve();

  constructor(parts: {
    readonly adapter: Adapter;
    readonly journal: Journal;
    readonly channels: Channels;
    readonly counts: CountAnnouncer;
    readonly access: Access;
    readonly log: Logger;
  }) {
    this.#adapter = parts.adapter;
    this.#journal = parts.journal;
    this.#channels = parts.channels;
    this.#counts = parts.counts;
    this.#access = parts.access;
    this.#log = parts.log;
  }

  /**
   * Ends subscriptions, however many. From now on nothing is delivered to them. Their clients are told, and their seats given
   * up, in as many turns of the loop as that takes.
   *
   * @param toTell is called with those that are told next
   */
  end(
    concerned: readonly Concerned[],
    why: SubscriptionRefusal,
    toTell: (slice: readonly Concerned[]) => void,
  ): void {
    for (const { subscription } of concerned) subscription.end(why);
    this.#cutOff(concerned, toTell);
  }

  /** Ends the subscriptions whose key was removed or revoked, but those of connections that are about to close anyway. */
  endInvalid(): void {
    const invalid: Concerned[] = [];
    for (const [topic, local] of this.#channels.all()) {
      if (local.channel.kind === 'public') continue;
      for (const [subscriber, subscription] of local.all()) {
        const why = subscriber.isSilent ? undefined : whyInvalid(subscription.grant, local.app);
        if (!why) continue;
        subscription.end(why);
        invalid.push({ topic, local, subscriber, subscription });
      }
    }
    this.#cutOff(invalid);
  }

  #cutOff(ended: readonly Concerned[], toTell?: (slice: readonly Concerned[]) => void): void {
    if (ended.length === 0) return;
    for (const { local, subscriber } of ended) local.remove(subscriber);
    const left: Promise<unknown>[] = [];
    const told = inTurns(ended, (slice) => {
      toTell?.(slice);
      for (const { topic, local, subscriber, subscription } of slice) {
        const { whyEnded } = subscription;
        left.push(this.#lose(topic, local, subscriber, subscription, whyEnded, whyEnded?.message));
        this.#channels.closeIfEmpty(topic, local);
      }
    }).then(() => Promise.all(left));
    const telling = this.#telling.then(() => told);
    this.#telling = telling;
    for (const { subscriber } of ended) this.#untold.set(subscriber, telling);
    void telling.then(() => {
      for (const { subscriber } of ended)
        if (this.#untold.get(subscriber) === telling) this.#untold.delete(subscriber);
    });
  }

  /** Resolves when a connection was told all that it has lost, and its seats are given up; `undefined`: that is so. */
  untold(subscriber: Subscriber): Promise<unknown> | undefined {
    return this.#untold.get(subscriber);
  }

  /** The subscriber has signed in after it subscribed: ends the subscription if the user is blocked. */
  recheck(app: App, channel: Channel, subscriber: Subscriber): void {
    const topic = topicOf(app.id, channel.name);
    const local = this.#channels.get(topic);
    const subscription = local?.get(subscriber);
    if (!local || !subscription || channel.kind === 'public' || subscription.userId !== undefined) return;
    try {
      this.#access.checkValid(app, channel.name, subscriber, subscription.grant);
    } catch (error) {
      if (!(error instanceof SubscriptionRefusal)) throw error;
      subscription.end(error);
      local.remove(subscriber);
      void this.#lose(topic, local, subscriber, subscription, error, error.message);
      this.#channels.closeIfEmpty(topic, local);
    }
  }

  /**
   * Ends a subscription at the end of its grant.
   *
   * @param isSilent the client is not told, because its connection is about to close
   */
  expire(app: App, channel: string, subscriber: Subscriber, isSilent: boolean): void {
    const subscription = this.#end(app, channel, subscriber, grantExpired(), 'expired', isSilent);
    if (!subscription) return;
    const { grant } = subscription;
    this.#recordExpiry(app, channel, subscriber, userOf(grant) ?? subscriber.userId, grant.claims?.id);
  }

  /**
   * Takes from a connection what only its sign-in gave, at the end of the sign-in. The connection is about to close.
   *
   * @param grantId the id in the claims of the sign-in
   */
  expireSignIn(app: App, userId: string, grantId: string | undefined, subscriber: Subscriber): void {
    const channel = userChannel(userId);
    this.#end(app, channel, subscriber, grantExpired(), 'expired', true);
    this.#recordExpiry(app, channel, subscriber, userId, grantId);
  }

  /** Ends one subscription, if it is there. */
  endOne(app: App, channel: string, subscriber: Subscriber, why: SubscriptionRefusal): void {
    this.#end(app, channel, subscriber, why, why.message, false);
  }

  /** Ends a subscription whose grant the backend refused to renew. */
  refuse(app: App, channel: string, subscriber: Subscriber, reason: string): void {
    const why = new SubscriptionRefusal('AuthError', 403, 'grant_refused', reason);
    this.#end(app, channel, subscriber, why, reason, false);
  }

  #end(
    app: App,
    channel: string,
    subscriber: Subscriber,
    why: SubscriptionRefusal,
    reason: string,
    isSilent: boolean,
  ): Subscription | undefined {
    const topic = topicOf(app.id, channel);
    const local = this.#channels.get(topic);
    const subscription = local?.get(subscriber);
    if (!local || !subscription) return undefined;
    subscription.end(why);
    local.remove(subscriber);
    void this.#lose(topic, local, subscriber, subscription, isSilent ? undefined : why, reason);
    this.#channels.closeIfEmpty(topic, local);
    return subscription;
  }

  #recordExpiry(
    app: App,
    channel: string,
    { socketId }: Subscriber,
    userId: string | undefined,
    grantId: string | undefined,
  ): void {
    const topic = topicOf(app.id, channel);
    // The journal reports its own failures.
    this.#journal.record([{ kind: 'grantExpired', topic, userId, grantId, socketId }])?.catch(() => {});
  }

  /** Resolves when the seat is given up. */
  #lose(
    topic: Topic,
    local: LocalChannel,
    subscriber: Subscriber,
    { grant }: Subscription,
    why: SubscriptionRefusal | undefined,
    reason: string | undefined,
  ): Promise<void> {
    local.metrics.subscriptions[local.channel.kind] -= 1;
    const left = this.leave(topic, subscriber, reason).then((change) => {
      if (change && announcesCount(local.app, local.channel))
        this.#counts.changed(topic, change.subscriptions, change.version);
    });
    subscriber.lose(local.channel.name, grant, why, left);
    return left;
  }

  /** Gives up a seat. If that fails, the seat ends with the node's lease. */
  async leave(topic: Topic, subscriber: Subscriber, reason?: string): Promise<Left | undefined> {
    try {
      return await this.#adapter.roster.leave(topic, subscriber.socketId, reason);
    } catch (error) {
      this.#log[severityOf(error)](
        { err: error, topic, socketId: subscriber.socketId },
        'failed to leave a topic',
      );
      return undefined;
    }
  }
}
