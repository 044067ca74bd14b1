import type { Logger } from 'pino';
import { codes, Disconnect, Refusal, SubscriptionRefusal } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import { increment } from '../hub/metrics.ts';
import { type Channel, readChannel } from '../protocol/channel.ts';
import { frames, type Member } from '../protocol/frames.ts';
import type { ClientMessage } from '../protocol/messages.ts';
import { authenticateUser, authorizeSubscription, SignInRefusal, type User } from './authorization.ts';
import { TokenBucket } from './bucket.ts';
import type { Connection } from './connection.ts';

/** What sessions share. */
export interface SessionParts {
  readonly hub: Hub;
  readonly log: Logger;
  readonly now: () => number;
}

type MessageOf<Kind extends ClientMessage['kind']> = Extract<ClientMessage, { kind: Kind }>;

/** A reconnecting client may by accident sign in with what was signed for its last socket id, so one failure is no reason to close. */
const MAX_SIGN_IN_FAILURES = 5;
const NO_CHANNELS: readonly Channel[] = [];

/** What each message of one connection does. */
export class Session {
  readonly #connection: Connection;
  readonly #parts: SessionParts;
  /** Replaced at each change: most connections have one, and an array of one is the smallest that there is. */
  #channels = NO_CHANNELS;
  /** Subscriptions under way, which count towards the limit. */
  #joining = 0;
  /** The last step of each channel that has one under way: the next one waits for it. */
  #steps: Map<string, Promise<void>> | undefined;
  #clientEventBucket: TokenBucket | undefined;
  #user: User | undefined;
  #signInFailures = 0;
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
        return this.#unsubscribe(message);
      case 'signIn':
        return this.#signIn(message);
      case 'clientEvent':
        return this.#publish(message);
    }
  }

  /** Leaves all channels. */
  end(): void {
    this.#ended = true;
    for (const channel of this.#channels) this.#enqueue(channel.name, () => this.#leave(channel));
    if (this.#user) this.#parts.hub.users.remove(this.#connection.app.id, this.#user.id, this.#connection);
  }

  #subscribe(message: MessageOf<'subscribe'>): void {
    const { app, socketId } = this.#connection;
    try {
      const channel = readChannel(message.channel, app.limits.channelNameLength);
      if (!channel) {
        const expected = `1 to ${app.limits.channelNameLength} of A-Z a-z 0-9 _ - = @ , . ;`;
        throw new SubscriptionRefusal('InvalidChannel', 400, `Invalid channel name: expected ${expected}`);
      }
      const member = authorizeSubscription(app, socketId, channel, message, this.#user);
      this.#checkRoom(channel);
      this.#joining += 1;
      this.#enqueue(channel.name, async () => {
        try {
          await this.#join(channel, member);
        } catch (error) {
          this.#refuse(channel.name, error);
        } finally {
          this.#joining -= 1;
        }
      });
    } catch (error) {
      this.#refuse(message.channel, error);
    }
  }

  #checkRoom({ name }: Channel): void {
    const limit = this.#connection.app.limits.subscriptionsPerConnection;
    if (this.#channels.length + this.#joining < limit || this.#channels.some((c) => c.name === name)) return;
    throw new SubscriptionRefusal('LimitReached', 409, `This connection has ${limit} subscriptions already`);
  }

  async #join(channel: Channel, member: Member | undefined): Promise<void> {
    if (this.#ended) return;
    const { app } = this.#connection;
    await this.#parts.hub.subscribe(app, channel, this.#connection, member);
    if (this.#ended) return this.#parts.hub.unsubscribe(app, channel, this.#connection);
    if (!this.#channels.some((c) => c.name === channel.name)) this.#channels = [...this.#channels, channel];
    this.#parts.log.debug({ ...this.#ids, channel: channel.name, userId: member?.userId }, 'subscribed');
  }

  #unsubscribe({ channel: name }: MessageOf<'unsubscribe'>): void {
    this.#enqueue(name, async () => {
      const channel = this.#channels.find((c) => c.name === name);
      if (channel) await this.#leave(channel);
    });
  }

  async #leave(channel: Channel): Promise<void> {
    this.#channels = this.#channels.filter((c) => c !== channel);
    await this.#parts.hub.unsubscribe(this.#connection.app, channel, this.#connection);
    this.#parts.log.debug({ ...this.#ids, channel: channel.name }, 'unsubscribed');
  }

  #signIn(message: MessageOf<'signIn'>): void {
    const { app, socketId } = this.#connection;
    try {
      const user = authenticateUser(app, socketId, message);
      if (this.#user && this.#user.id !== user.id)
        throw new SignInRefusal('Signed in as another user already');
      if (!this.#user) this.#parts.hub.users.add(app.id, user.id, this.#connection);
      this.#user = { id: user.id, info: user.info };
      this.#connection.send(frames.signInSucceeded(user.data));
      this.#parts.log.debug({ ...this.#ids, userId: user.id }, 'signed in');
    } catch (error) {
      if (!(error instanceof SignInRefusal)) throw error;
      this.#parts.log.info({ ...this.#ids, reason: error.message }, 'sign-in refused');
      if (error.explanation)
        this.#parts.log.debug(
          { ...this.#ids, explanation: error.explanation },
          'sign-in refused: what would have been right',
        );
      this.#signInFailures += 1;
      if (this.#signInFailures >= MAX_SIGN_IN_FAILURES) {
        throw new Disconnect(
          codes.unauthorized,
          `Sign-in refused ${MAX_SIGN_IN_FAILURES} times: ${error.message}`,
        );
      }
      throw new Refusal(error.code, explain(error, app.explainRefusals));
    }
  }

  #publish({ name, channel: channelName, data }: MessageOf<'clientEvent'>): void {
    const { app, socketId, metrics } = this.#connection;
    if (!app.clientEvents) throw new Refusal(null, 'Client events are turned off for this app');
    if (!this.#takeClientEvent()) {
      metrics.rateLimitHits += 1;
      throw new Refusal(
        codes.clientEventRate,
        `Too many client events: at most ${app.limits.clientEventsPerSecond} a second`,
      );
    }
    if (name.length > app.limits.eventNameLength) {
      throw new Refusal(
        null,
        `Client event rejected: its name is longer than ${app.limits.eventNameLength} characters`,
      );
    }
    const channel = readChannel(channelName, app.limits.channelNameLength);
    if (channel?.kind !== 'private' && channel?.kind !== 'presence') {
      throw new Refusal(
        null,
        'Client event rejected: only private and presence channels that are not encrypted take them',
      );
    }
    const subscription = this.#parts.hub.subscription(app, channelName, this.#connection);
    if (!subscription) {
      throw new Refusal(
        null,
        `Client event rejected: the connection is not subscribed to channel ${channelName}`,
      );
    }
    if (Buffer.byteLength(data) > app.limits.eventDataBytes) {
      throw new Refusal(
        null,
        `Client event rejected: its data is longer than ${app.limits.eventDataBytes} bytes`,
      );
    }
    metrics.clientEvents += 1;
    const publication = { name, data, userId: subscription.userId, except: socketId, keep: false };
    this.#parts.hub.publish(app, [channel], publication).catch((error: unknown) => {
      this.#parts.log.error({ ...this.#ids, err: error, channel: channelName }, 'client event failed');
      this.#connection.send(frames.error(null, 'Client event rejected: it could not be published'));
    });
  }

  #takeClientEvent(): boolean {
    const now = this.#parts.now();
    const rate = this.#connection.app.limits.clientEventsPerSecond;
    this.#clientEventBucket ??= new TokenBucket(rate, now);
    return this.#clientEventBucket.take(rate, rate, now);
  }

  /** Steps of one channel run one after the other; the first runs at once. */
  #enqueue(channel: string, step: () => Promise<void>): void {
    this.#steps ??= new Map();
    const steps = this.#steps;
    const running = steps.get(channel)?.then(step) ?? step();
    const done: Promise<void> = running
      .catch((error: unknown) => this.#parts.log.error({ ...this.#ids, err: error, channel }, 'step failed'))
      .finally(() => {
        if (steps.get(channel) === done) steps.delete(channel);
        if (steps.size === 0 && this.#steps === steps) this.#steps = undefined;
      });
    steps.set(channel, done);
  }

  #refuse(channel: string, error: unknown): void {
    const refusal = error instanceof SubscriptionRefusal ? error : serverError(error);
    const { app, metrics } = this.#connection;
    increment(metrics.refusals, refusal.type);
    if (refusal.cause)
      this.#parts.log.error({ ...this.#ids, err: refusal.cause, channel }, 'subscription failed');
    else
      this.#parts.log.info(
        { ...this.#ids, channel, type: refusal.type, reason: refusal.message },
        'subscription refused',
      );
    if (refusal.explanation)
      this.#parts.log.debug(
        { ...this.#ids, channel, explanation: refusal.explanation },
        'subscription refused: what would have been right',
      );
    const message = explain(refusal, app.explainRefusals);
    this.#connection.send(frames.subscriptionError(channel, refusal.type, refusal.status, message));
  }

  /** What each log line names. */
  get #ids(): object {
    const { app, key, socketId } = this.#connection;
    return { appId: app.id, key, socketId };
  }
}

function explain(
  { message, explanation }: { readonly message: string; readonly explanation?: string | undefined },
  aloud: boolean,
): string {
  return aloud && explanation ? `${message}: ${explanation}` : message;
}

function serverError(cause: unknown): SubscriptionRefusal {
  const refusal = new SubscriptionRefusal('ServerError', 500, 'The subscription failed');
  refusal.cause = cause;
  return refusal;
}
