import type { Access } from '../../access/access.ts';
import type { Grant } from '../../access/grant.ts';
import type { Adapter, Joined } from '../../adapter/adapter.ts';
import type { Topic } from '../../adapter/topic.ts';
import { SubscriptionRefusal, Unavailable } from '../../errors.ts';
import type { LocalChannel } from '../local-channel.ts';
import type { Subscriber } from '../subscriber.ts';

/** Lets subscribers into channels: checks the grant, and takes a seat in the roster. */
export class Admission {
  readonly #adapter: Adapter;
  readonly #access: Access;

  constructor(adapter: Adapter, access: Access) {
    this.#adapter = adapter;
    this.#access = access;
  }

  /**
   * Takes a seat if the grant is accepted.
   *
   * @returns `undefined` if the join is queued
   * @throws SubscriptionRefusal if the presence channel is full, or the grant is not accepted
   * @throws Unavailable if the adapter is unavailable
   */
  async admit(
    topic: Topic,
    local: LocalChannel,
    subscriber: Subscriber,
    grant: Grant,
  ): Promise<Joined | undefined> {
    const { app, channel } = local;
    if (channel.kind === 'public') {
      if (local.listening) await local.listening.catch(ignoreUnavailable);
      return this.join(topic, local, subscriber, grant);
    }
    if (local.listening) await local.listening;
    // Others must not see a member join that is not let in.
    this.#access.checkValid(app, channel.name, subscriber, grant);
    const checked = this.#access.checkUnused(app, grant);
    if (checked) await checked;
    const joined = await this.join(topic, local, subscriber, grant);
    const used = this.#access.use(app, grant);
    if (used) await used;
    return joined;
  }

  /** Takes a seat. Returns `undefined` if the join is queued. */
  async join(
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
}

function ignoreUnavailable(error: unknown): void {
  if (!(error instanceof Unavailable)) throw error;
}
