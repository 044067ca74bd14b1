import type { Access } from '../../access/access.ts';
import type { Grant } from '../../access/grant.ts';
import type { Topic } from '../../adapter/topic.ts';
import { frames } from '../../protocol/frames.ts';
import type { LocalChannel } from '../local-channel.ts';
import type { Endings } from '../revocation/endings.ts';
import type { Subscriber } from '../subscriber.ts';
import type { Admission } from './admission.ts';
import { acknowledge } from './first-frames.ts';
import { BufferOverflow, type News, type Subscription } from './subscription.ts';
import type { SubscriptionTerms } from './subscription-terms.ts';

/** Replaces the grants of subscriptions. */
export class Renewals {
  readonly #access: Access;
  readonly #admission: Admission;
  readonly #terms: SubscriptionTerms;
  readonly #endings: Endings;

  constructor(parts: {
    readonly access: Access;
    readonly admission: Admission;
    readonly terms: SubscriptionTerms;
    readonly endings: Endings;
  }) {
    this.#access = parts.access;
    this.#admission = parts.admission;
    this.#terms = parts.terms;
    this.#endings = parts.endings;
  }

  /** Replaces the grant of a client that needs no new snapshot. */
  async renew(
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

  /** Replaces the grant of a client that gets a new snapshot. */
  async refresh(
    topic: Topic,
    local: LocalChannel,
    subscriber: Subscriber,
    subscription: Subscription,
    grant: Grant,
  ): Promise<void> {
    subscription.buffer();
    let news: readonly News[] = [];
    try {
      let joined = await this.#admission.admit(topic, local, subscriber, grant);
      // The subscriber may have got a newer snapshot in the meantime.
      while (joined && subscription.isAhead(joined.version))
        joined = await this.#admission.join(topic, local, subscriber, grant);
      this.#access.checkValid(local.app, local.channel.name, subscriber, grant);
      news = subscription.resume(joined?.version);
      subscription.renew(grant);
      this.#terms.begin(local, subscriber, subscription);
      acknowledge(local, subscriber, subscription, joined);
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
