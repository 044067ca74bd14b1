import type { Grant } from '../access/grant.ts';
import type { RenewalProof } from '../access/renewer.ts';
import type { LeaveReason } from '../adapter/adapter.ts';
import { KeyedQueue } from '../async/keyed-queue.ts';
import { type Disconnect, Refusal, SubscriptionRefusal, Unavailable } from '../errors.ts';
import type { Resume } from '../hub/replay/replay.ts';
import { type Channel, readChannel } from '../protocol/channel.ts';
import { frames } from '../protocol/frames.ts';
import type { ClientMessage } from '../protocol/messages.ts';
import { ClientEvents } from './client-events.ts';
import { authorizeSubscription } from './proofs/authorization.ts';
import { explain } from './proofs/proof.ts';
import type { SessionContext, SessionParts } from './session-context.ts';
import { SignIn, type SignInListener } from './sign-in/sign-in.ts';

type Subscribe = Extract<ClientMessage, { kind: 'subscribe' }>;

const NOT_CAPABLE = 'countersign:authenticate needs countersign=1 in the URL of the connection';
const NO_CHANNELS: readonly Channel[] = [];

/** The protocol of one connection: does what each message asks for. Creates its parts on first use, because most connections need few. */
export class Session implements SignInListener {
  readonly #connection: SessionContext;
  readonly #parts: SessionParts;
  /** Replaced at each change: most connections have one channel, and an array of one is the smallest collection. */
  #channels = NO_CHANNELS;
  /** Subscriptions in progress, which count towards the limit. */
  #joining = 0;
  /** Subscribes and unsubscribes of one channel run one after the other. */
  #steps: KeyedQueue<string> | undefined;
  #signIn: SignIn | undefined;
  #clientEvents: ClientEvents | undefined;
  #ended = false;

  constructor(connection: SessionContext, parts: SessionParts) {
    this.#connection = connection;
    this.#parts = parts;
  }

  /**
   * Does what a message asks for.
   *
   * @throws Refusal or Disconnect if the client may not do it
   */
  handle(message: ClientMessage): void {
    switch (message.kind) {
      case 'ping':
        return this.#connection.send(frames.pong);
      case 'pong':
        return;
      case 'subscribe':
        return this.#subscribe(message);
      case 'unsubscribe':
        return this.#unsubscribe(message.channel);
      case 'signIn':
        return this.#signingIn().start(message);
      case 'authenticate':
        if (!this.#connection.isCapable) throw new Refusal(null, 'unsupported_event', NOT_CAPABLE);
        return this.#signingIn().authenticate(message.token);
      case 'clientEvent':
        this.#clientEvents ??= new ClientEvents(this.#connection, this.#parts);
        return this.#clientEvents.publish(message);
    }
  }

  /** Those that it is in. */
  get channels(): readonly Channel[] {
    return this.#channels;
  }

  /** The user that has signed in or is about to. */
  get userId(): string | undefined {
    return this.#signIn?.userId;
  }

  /** Why the sign-in is not valid any more; `undefined` if it is, or there is none. */
  get whySignInInvalid(): Disconnect | undefined {
    return this.#signIn?.whyInvalid;
  }

  /**
   * Replaces the grant of a channel by one that the backend has signed.
   *
   * @throws SubscriptionRefusal if a client that sends the proof would be refused
   */
  renew(name: string, { auth, data }: RenewalProof): Promise<void> {
    this.#steps ??= new KeyedQueue();
    return this.#steps.run(name, async () => {
      await this.#signIn?.settled;
      const channel = this.#find(name);
      if (!channel) return;
      const grant = this.#authorize(channel, { auth, channelData: data });
      await this.#parts.hub.subscriptions.renew(this.#connection.app, channel, this.#connection, grant);
      this.#parts.report.channels.subscribed(this.#connection, name, grant, true);
    });
  }

  /** The sign-in has succeeded: the application may block this user from channels that it is in. */
  signedIn(): void {
    const { endings } = this.#parts.hub;
    this.#eachChannel(async (channel) => endings.recheck(this.#connection.app, channel, this.#connection));
  }

  /** The new token replaces the earlier one in all channels that were opened by a token, or they end. */
  tokenRenewed(): void {
    const { app } = this.#connection;
    const { endings, subscriptions } = this.#parts.hub;
    this.#eachChannel(async (channel) => {
      if (channel.kind === 'user' || !this.#isByToken(channel.name)) return;
      try {
        const grant = this.#authorize(channel, { auth: undefined, channelData: undefined });
        await subscriptions.renew(app, channel, this.#connection, grant);
        this.#parts.report.channels.subscribed(this.#connection, channel.name, grant, true);
      } catch (error) {
        if (!(error instanceof SubscriptionRefusal)) throw error;
        endings.refuse(app, channel.name, this.#connection, error.message);
      }
    });
  }

  tokenExpired(): void {
    const { app } = this.#connection;
    const isSilent = app.tokens?.reconnects === true;
    for (const { name, kind } of this.#channels)
      if (kind !== 'user' && this.#isByToken(name))
        this.#parts.hub.endings.expire(app, name, this.#connection, isSilent);
  }

  #isByToken(name: string): boolean {
    const { app } = this.#connection;
    return this.#parts.hub.subscriptions.get(app, name, this.#connection)?.grant.token !== undefined;
  }

  /** The broker ended a subscription. The client can subscribe again once the seat is given up. */
  lose(name: string, grant: Grant, why: SubscriptionRefusal | undefined, left: Promise<unknown>): void {
    this.#channels = this.#channels.filter((channel) => channel.name !== name);
    this.#parts.report.channels.ended(this.#connection, name, grant, why);
    if (why) this.#answer(name, why);
    this.#enqueue(name, async () => {
      await left;
    });
  }

  /** Leaves all channels. */
  end(): void {
    this.#ended = true;
    for (const channel of this.#channels)
      this.#enqueue(channel.name, () => this.#leave(channel, 'disconnected'));
    this.#signIn?.end();
  }

  #subscribe(message: Subscribe): void {
    const { channelNameLength } = this.#connection.app.limits;
    const channel = readChannel(message.channel, channelNameLength);
    if (!channel) {
      const expected = `1 to ${channelNameLength} of A-Z a-z 0-9 _ - = @ , . ;`;
      const invalid = `Invalid channel name: expected ${expected}`;
      return this.#refuse(
        message.channel,
        new SubscriptionRefusal('InvalidChannel', 400, 'invalid_channel', invalid),
        message,
      );
    }
    const signingIn = this.#signIn?.settled;
    this.#enqueue(channel.name, () => this.#admit(channel, message, signingIn));
  }

  async #admit(channel: Channel, message: Subscribe, signingIn: Promise<void> | undefined): Promise<void> {
    let grant: Grant | undefined;
    try {
      // Presence and user channels depend on the user.
      if (signingIn) await signingIn;
      grant = this.#authorize(channel, message);
      await this.#join(channel, grant, this.#resumeOf(message));
    } catch (error) {
      this.#refuse(channel.name, error, message, grant);
    }
  }

  #authorize(channel: Channel, message: Pick<Subscribe, 'auth' | 'channelData'>): Grant {
    const { app, socketId } = this.#connection;
    if (channel.kind !== 'public') this.#parts.audit?.admit();
    const user = this.#signIn?.user;
    const grant = authorizeSubscription(app, socketId, channel, message, user, this.#parts.now());
    if (grant.key && channel.kind !== 'user')
      app.keyUses.count(grant.key.name, 'subscribe', this.#parts.now());
    this.#checkLimit(channel);
    return grant;
  }

  /** Where the client was. Only a capable client understands the answer. */
  #resumeOf({ after, socketIdBefore }: Subscribe): Resume | undefined {
    if (!this.#connection.isCapable || after === undefined) return undefined;
    return {
      after: typeof after === 'string' ? after : undefined,
      without: typeof socketIdBefore === 'string' ? socketIdBefore : undefined,
    };
  }

  async #join(channel: Channel, grant: Grant, resume: Resume | undefined): Promise<void> {
    const { app } = this.#connection;
    const { subscriptions } = this.#parts.hub;
    this.#joining += 1;
    try {
      if (this.#ended) return;
      await subscriptions.subscribe(app, channel, this.#connection, grant, resume);
      if (this.#ended) return subscriptions.unsubscribe(app, channel, this.#connection, 'disconnected');
      if (channel.kind !== 'public') this.#connection.authenticated();
      const isRenewal = this.#find(channel.name) !== undefined;
      if (!isRenewal) this.#channels = [...this.#channels, channel];
      this.#parts.report.channels.subscribed(this.#connection, channel.name, grant, isRenewal);
    } finally {
      this.#joining -= 1;
    }
  }

  #find(name: string): Channel | undefined {
    return this.#channels.find((channel) => channel.name === name);
  }

  #checkLimit(channel: Channel): void {
    const limit = this.#connection.app.limits.subscriptionsPerConnection;
    if (this.#channels.length + this.#joining < limit || this.#find(channel.name)) return;
    throw new SubscriptionRefusal(
      'LimitReached',
      409,
      'too_many_subscriptions',
      `This connection has ${limit} subscriptions already`,
    );
  }

  #signingIn(): SignIn {
    this.#signIn ??= new SignIn(this.#connection, this.#parts, this);
    return this.#signIn;
  }

  /** Does a step for each channel that it is in, once it is in those that it joins. */
  #eachChannel(step: (channel: Channel) => Promise<void>): void {
    for (const name of new Set([
      ...this.#channels.map((channel) => channel.name),
      ...(this.#steps?.keys() ?? []),
    ]))
      this.#enqueue(name, async () => {
        const channel = this.#find(name);
        if (channel) await step(channel);
      });
  }

  #unsubscribe(name: string): void {
    this.#enqueue(name, async () => {
      const channel = this.#find(name);
      if (channel) await this.#leave(channel, 'unsubscribed');
    });
  }

  async #leave(channel: Channel, reason: LeaveReason): Promise<void> {
    const { hub, report } = this.#parts;
    this.#channels = this.#channels.filter((each) => each !== channel);
    await hub.subscriptions.unsubscribe(this.#connection.app, channel, this.#connection, reason);
    report.channels.unsubscribed(this.#connection, channel.name);
  }

  #enqueue(channel: string, step: () => Promise<void>): void {
    this.#steps ??= new KeyedQueue();
    this.#steps.run(channel, step).catch((error: unknown) => {
      this.#parts.report.channels.stepFailed(this.#connection, channel, error);
    });
  }

  /** @param grant what was proven, if the refusal has another reason */
  #refuse(channel: string, error: unknown, message: Subscribe, grant?: Grant): void {
    const refusal = error instanceof SubscriptionRefusal ? error : serverError(error);
    const { type, message: reason } = refusal;
    const evidence = { auth: message.auth, data: message.channelData };
    const mistake = refusal.explanation === undefined ? undefined : this.#mistakeOf(channel, message);
    this.#parts.report.channels.refused(this.#connection, channel, refusal, evidence, { mistake, grant });
    this.#answer(channel, refusal, message, mistake);
    if (type === 'AuthError') this.#connection.proofRefused(reason);
  }

  #mistakeOf(channel: string, { auth, channelData }: Subscribe): string | undefined {
    const { app, socketId } = this.#connection;
    const data = typeof channelData === 'string' ? channelData : '';
    return this.#parts.explain(app, { socketId, channel, data }, auth);
  }

  /** @param message the client's request; without it the broker ended the subscription */
  #answer(channel: string, refusal: SubscriptionRefusal, message?: Subscribe, mistake?: string): void {
    const text = explain(refusal, this.#connection.app, mistake);
    const isRenewal =
      this.#connection.isCapable && message !== undefined && this.#find(channel) !== undefined;
    this.#connection.send(frames.subscriptionError(channel, refusal, text, isRenewal));
  }
}

function serverError(cause: unknown): SubscriptionRefusal {
  const code = cause instanceof Unavailable ? 'unavailable' : 'internal_error';
  const refusal = new SubscriptionRefusal('ServerError', 500, code, 'The subscription failed');
  refusal.cause = cause;
  return refusal;
}
