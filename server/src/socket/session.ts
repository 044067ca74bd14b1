import type { Logger } from 'pino';
import type { Adapter, LeaveReason } from '../adapter/adapter.ts';
import { KeyedQueue } from '../async/keyed-queue.ts';
import { Eviction, SubscriptionRefusal, severityOf } from '../errors.ts';
import type { Grant } from '../hub/grant.ts';
import type { Hub } from '../hub/hub.ts';
import { increment } from '../metrics.ts';
import { type Channel, readChannel } from '../protocol/channel.ts';
import { frames } from '../protocol/frames.ts';
import type { ClientMessage } from '../protocol/messages.ts';
import { authorizeSubscription, explain } from './authorization.ts';
import { ClientEvents } from './client-events.ts';
import type { Connection } from './connection.ts';
import { SignIn } from './sign-in.ts';

/** What sessions share. */
export interface SessionParts {
  readonly hub: Hub;
  readonly adapter: Adapter;
  readonly log: Logger;
  /** In Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds, by a clock that nobody sets: for all that is waited for or limited. */
  readonly monotonic: () => number;
}

type Subscribe = Extract<ClientMessage, { kind: 'subscribe' }>;

const NO_CHANNELS: readonly Channel[] = [];
/** Characters of what a client calls a channel that the log holds. */
const MAX_LOGGED_NAME = 200;

/** What each message of one connection does. What most connections never need is made when it is. */
export class Session {
  readonly #connection: Connection;
  readonly #parts: SessionParts;
  /** Replaced at each change: most connections have one, and an array of one is the smallest that there is. */
  #channels = NO_CHANNELS;
  /** Subscriptions under way, which count towards the limit. */
  #joining = 0;
  /** Subscribes and unsubscribes of one channel run one after the other. */
  #steps: KeyedQueue<string> | undefined;
  /** Channels that the application ended for this connection, and why. */
  #barred: Map<string, string> | undefined;
  #identity: SignIn | undefined;
  #clientEvents: ClientEvents | undefined;
  #ended = false;

  constructor(connection: Connection, parts: SessionParts) {
    this.#connection = connection;
    this.#parts = parts;
  }

  /**
   * Does what a message asks for.
   *
   * @throws Refusal or Disconnect if it may not be done
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
        this.#identity ??= new SignIn(this.#connection, this.#parts, () => this.#lookAgain());
        return this.#identity.signIn(message);
      case 'clientEvent':
        this.#clientEvents ??= new ClientEvents(this.#connection, this.#parts);
        return this.#clientEvents.publish(message);
    }
  }

  /** Who has signed in or is about to, if anybody. */
  get userId(): string | undefined {
    return this.#identity?.userId;
  }

  /** Whether the key that signed who it is, if one did, is still one of the app. */
  get identityStands(): boolean {
    return this.#identity?.stands ?? true;
  }

  /** A subscription was ended; the channel can be joined again once its seat is given up. */
  lose(name: string, why: SubscriptionRefusal, left: Promise<unknown>): void {
    this.#channels = this.#channels.filter((channel) => channel.name !== name);
    this.#refuse(name, why);
    this.#enqueue(name, async () => {
      await left;
    });
  }

  /** Leaves all channels. */
  end(): void {
    this.#ended = true;
    for (const channel of this.#channels)
      this.#enqueue(channel.name, () => this.#leave(channel, 'disconnected'));
    this.#identity?.end();
  }

  #subscribe(message: Subscribe): void {
    const { channelNameLength } = this.#connection.app.limits;
    const channel = readChannel(message.channel, channelNameLength);
    if (!channel) {
      const expected = `1 to ${channelNameLength} of A-Z a-z 0-9 _ - = @ , . ;`;
      const invalid = `Invalid channel name: expected ${expected}`;
      return this.#refuse(message.channel, new SubscriptionRefusal('InvalidChannel', 400, invalid), message);
    }
    const signingIn = this.#identity?.settled;
    this.#enqueue(channel.name, () => this.#admit(channel, message, signingIn));
  }

  async #admit(channel: Channel, message: Subscribe, signingIn: Promise<void> | undefined): Promise<void> {
    try {
      // Who the user is decides about presence and user channels.
      if (signingIn) await signingIn;
      await this.#join(channel, this.#authorize(channel, message));
    } catch (error) {
      this.#refuse(channel.name, error, message);
    }
  }

  #authorize(channel: Channel, message: Subscribe): Grant {
    const { app, socketId } = this.#connection;
    const barred = this.#barred?.get(channel.name);
    if (barred !== undefined) throw new Eviction(barred);
    const grant = authorizeSubscription(app, socketId, channel, message, this.#identity?.user);
    if (grant.key && channel.kind !== 'user')
      app.keyUses.count(grant.key.name, 'channels', this.#parts.now());
    this.#checkRoom(channel);
    return grant;
  }

  async #join(channel: Channel, grant: Grant): Promise<void> {
    const { app, ids } = this.#connection;
    const { hub, log } = this.#parts;
    this.#joining += 1;
    try {
      if (this.#ended) return;
      await hub.subscriptions.subscribe(app, channel, this.#connection, grant);
      if (this.#ended) return hub.subscriptions.unsubscribe(app, channel, this.#connection, 'disconnected');
      if (channel.kind !== 'public') this.#connection.authenticated();
      if (!this.#isIn(channel)) this.#channels = [...this.#channels, channel];
      const { name } = channel;
      const userId = grant.member?.userId;
      log.debug({ ...ids, channel: name, userId }, 'subscribed');
      app.observer?.observe({ kind: 'subscribed', who: this.#connection, channel: name, userId });
    } finally {
      this.#joining -= 1;
    }
  }

  #isIn({ name }: Channel): boolean {
    return this.#channels.some((channel) => channel.name === name);
  }

  #checkRoom(channel: Channel): void {
    const limit = this.#connection.app.limits.subscriptionsPerConnection;
    if (this.#channels.length + this.#joining < limit || this.#isIn(channel)) return;
    throw new SubscriptionRefusal('LimitReached', 409, `This connection has ${limit} subscriptions already`);
  }

  /** It is known only now who the connection is: it may be in a channel that this user is kept out of. */
  #lookAgain(): void {
    const { endings } = this.#parts.hub;
    for (const name of new Set([
      ...this.#channels.map((channel) => channel.name),
      ...(this.#steps?.keys() ?? []),
    ]))
      this.#enqueue(name, async () => {
        const channel = this.#channels.find((each) => each.name === name);
        if (channel) await endings.recheck(this.#connection.app, channel, this.#connection);
      });
  }

  #unsubscribe(name: string): void {
    this.#enqueue(name, async () => {
      const channel = this.#channels.find((each) => each.name === name);
      if (channel) await this.#leave(channel, 'unsubscribed');
    });
  }

  async #leave(channel: Channel, reason: LeaveReason): Promise<void> {
    this.#channels = this.#channels.filter((each) => each !== channel);
    await this.#parts.hub.subscriptions.unsubscribe(this.#connection.app, channel, this.#connection, reason);
    this.#parts.log.debug({ ...this.#connection.ids, channel: channel.name }, 'unsubscribed');
    const { app } = this.#connection;
    app.observer?.observe({ kind: 'unsubscribed', who: this.#connection, channel: channel.name });
  }

  #enqueue(channel: string, step: () => Promise<void>): void {
    this.#steps ??= new KeyedQueue();
    this.#steps.run(channel, step).catch((error: unknown) => {
      this.#parts.log.error({ ...this.#connection.ids, err: error, channel }, 'step failed');
    });
  }

  #refuse(channel: string, error: unknown, message?: Subscribe): void {
    const refusal = error instanceof SubscriptionRefusal ? error : serverError(error);
    const { app, metrics, ids } = this.#connection;
    const { log } = this.#parts;
    const { type, status, message: reason, explanation, cause } = refusal;
    const fields = { ...ids, channel: channel.slice(0, MAX_LOGGED_NAME) };
    increment(metrics.refusals, type);
    if (cause) log[severityOf(cause)]({ ...fields, err: cause }, 'subscription failed');
    else log.info({ ...fields, type, reason }, 'subscription refused');
    if (explanation)
      log.debug({ ...fields, explanation }, 'subscription refused: what would have been right');
    if (refusal instanceof Eviction) {
      this.#barred ??= new Map();
      this.#barred.set(channel, reason);
    }
    app.observer?.observe({
      kind: 'subscriptionRefused',
      who: this.#connection,
      channel,
      reason,
      evidence: { auth: message?.auth, data: message?.channelData },
      unproven: explanation !== undefined,
    });
    this.#connection.send(
      frames.subscriptionError(channel, type, status, explain(refusal, app.explainRefusals)),
    );
    // What the application ended by itself was no try of the client.
    if (type === 'AuthError' && message) this.#connection.proofRefused(reason);
  }
}

function serverError(cause: unknown): SubscriptionRefusal {
  const refusal = new SubscriptionRefusal('ServerError', 500, 'The subscription failed');
  refusal.cause = cause;
  return refusal;
}
