import type { Access } from '../../access/access.ts';
import { userOf } from '../../access/grant.ts';
import type { EndingRight, RenewalProof, RightDescription } from '../../access/renewer.ts';
import { type Life, type RenewalTimes, Term } from '../../access/term.ts';
import type { Token } from '../../access/token.ts';
import type { App } from '../../apps/app.ts';
import { frames } from '../../protocol/frames.ts';
import type { LocalChannel } from '../local-channel.ts';
import type { Endings } from '../revocation/endings.ts';
import type { Subscriber } from '../subscriber.ts';
import type { Subscription } from './subscription.ts';

/** Gives the subscriptions of this node the life that their grants allow. */
export class SubscriptionTerms {
  constructor(
    readonly access: Access,
    readonly endings: Endings,
  ) {}

  /** Begins the life of a subscription's grant, in place of that of the grant before. */
  begin(local: LocalChannel, subscriber: Subscriber, subscription: Subscription): void {
    subscription.term?.stop();
    subscription.term = undefined;
    const { app, channel } = local;
    // Public channels need no grant, and that of a user's own channel is the sign-in, which has an end of its own.
    if (channel.kind === 'public' || channel.kind === 'user') return;
    const { claims, token } = subscription.grant;
    const life = this.access.lifeFrom(claims?.expiresAt, app.grants.maxSeconds);
    if (!life) return;
    subscription.term = new SubscriptionTerm(life, this, local, subscriber, token);
    this.access.begin(subscription.term);
  }
}

/** The life of one subscription's grant. */
export class SubscriptionTerm extends Term implements EndingRight {
  readonly #terms: SubscriptionTerms;
  readonly #local: LocalChannel;
  readonly #subscriber: Subscriber;
  readonly #token: Token | undefined;

  /** @param token that gave the grant, if it was no signature */
  constructor(
    life: Life,
    terms: SubscriptionTerms,
    local: LocalChannel,
    subscriber: Subscriber,
    token: Token | undefined,
  ) {
    super(life);
    this.#terms = terms;
    this.#local = local;
    this.#subscriber = subscriber;
    this.#token = token;
  }

  override stop(): void {
    this.#terms.access.cancel(this);
  }

  override close(): void {
    this.#subscriber.reconnect('grant_expired', 'A grant expires: please reconnect');
  }

  get app(): App {
    return this.#local.app;
  }

  describe(): RightDescription {
    const { socketId, userId } = this.#subscriber;
    const grant = this.#local.get(this.#subscriber)?.grant;
    return {
      socket_id: socketId,
      channel: this.#local.channel.name,
      user_id: (grant && userOf(grant)) ?? userId ?? null,
      grant_id: grant?.claims?.id ?? null,
      expires_at: this.expiresAt,
      channel_data: grant?.signedData ?? null,
    };
  }

  renew(proof: RenewalProof): Promise<void> {
    return this.#subscriber.renew(this.#local.channel.name, proof);
  }

  refuse(reason: string): void {
    this.#terms.endings.refuse(this.app, this.#local.channel.name, this.#subscriber, reason);
  }

  protected override get socketId(): string {
    return this.#subscriber.socketId;
  }

  protected override get renewal(): RenewalTimes | undefined {
    // A backend signs; it does not issue tokens.
    return this.#token ? undefined : this.app.renewal;
  }

  protected override askBackend(): void {
    this.#terms.access.askBackend(this);
  }

  protected override get isAnnounced(): boolean {
    // The end of a token is announced for the whole connection.
    return this.#subscriber.isCapable && !(this.#token && this.expiresAt >= this.#token.expiresAt);
  }

  protected override get reconnects(): boolean {
    const { grants, tokens } = this.app;
    return this.#token ? tokens?.reconnects === true : grants.onExpiry === 'reconnect';
  }

  protected override announce(): void {
    this.#subscriber.send(frames.grantExpiring(this.#local.channel.name, this.expiresAt));
  }

  protected override reconnect(): void {
    this.#terms.access.reconnect(this);
  }

  protected override end(): void {
    const { app, channel } = this.#local;
    this.#terms.endings.expire(app, channel.name, this.#subscriber, this.reconnects);
  }
}
