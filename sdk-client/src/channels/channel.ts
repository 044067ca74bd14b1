import type { ChannelGrant } from '../auth/grants.ts';
import { Attempt } from '../connection/attempt.ts';
import {
  asObject,
  EXTENSION,
  encode,
  GRANT_RENEWED,
  INTERNAL,
  type Message,
  parseJson,
  SUBSCRIPTION_ERROR,
  SUBSCRIPTION_SUCCEEDED,
} from '../connection/protocol.ts';
import { REVOKED_SECOND } from '../connection/retries.ts';
import { type Deferred, deferred } from '../deferred.ts';
import { Emitter, type Metadata } from '../emitter.ts';
import { CountersignError, failure, isTemporary } from '../errors.ts';
import type { Published } from './acknowledgements.ts';
import type { AnyEvents, ChannelEvents, ChannelStatus } from './channel-events.ts';
import type { ChannelOwner } from './channel-owner.ts';
import { Recovery } from './recovery.ts';
import { StateLoad } from './state-load.ts';
import { errorOf, type SubscriptionError, subscriptionError } from './subscription-error.ts';

type Phase = 'idle' | 'authorizing' | 'sent' | 'subscribed';

/**
 * A channel that the app has subscribed to. It subscribes on each new connection, until the app unsubscribes.
 *
 * @example
 * ```ts
 * const news = client.subscribe('news');
 * news.on('published', (data) => console.log(data));
 * news.on('pusher:subscription_error', ({ status, message, retryIn }) => console.warn(status, message, retryIn));
 * ```
 */
export class Channel<Events extends object = AnyEvents> extends Emitter<ChannelEvents & Events> {
  readonly name: string;
  /** Number of subscribed connections, if the app has `subscription_count` enabled at the broker. */
  subscriptionCount: number | undefined;
  /** When the grant ends, in Unix seconds; `undefined` if it does not end, or while the channel is not subscribed. */
  expiresAt: number | undefined;
  /** Why the channel is not subscribed, or its grant is not renewed; `undefined` if nothing has failed since it was. */
  error: SubscriptionError | undefined;
  /** @internal */
  protected readonly owner: ChannelOwner;
  #phase: Phase = 'idle';
  #attempt: Attempt<ChannelGrant> | undefined;
  /** Why the channel is not subscribed. */
  #end: 'expired' | 'refused' | undefined;
  #wasRevoked = false;
  readonly #recovery = new Recovery();
  /** What settles `ready`, once somebody has asked for it; another one when the state that settled it is over. */
  #ready: Deferred<this> | undefined;
  #load: StateLoad<unknown> | undefined;
  /** @internal Whether the present subscription has gone on where the one before ended. */
  isRecovered = false;
  readonly #again = (): void => (this.subscribed ? this.#ask() : this.join());
  /** @internal The users of the channel: the client itself for the app, and components that share it. */
  readonly uses = new Set<object>();

  /** @internal */
  constructor(name: string, owner: ChannelOwner) {
    super();
    this.name = name;
    this.owner = owner;
  }

  /** Whether the broker has confirmed the subscription on the current connection. */
  get subscribed(): boolean {
    return this.#phase === 'subscribed';
  }

  /**
   * The position of the last event, on a channel with a history; otherwise `undefined`. The client goes on after it when it
   * comes back, and your backend can read the history from it.
   */
  get position(): string | undefined {
    return this.#recovery.position;
  }

  /**
   * Resolves with the channel when the broker has confirmed the subscription, and rejects when it is refused for good. It
   * stays pending while the client waits for a connection or tries again by itself. Each loss of the subscription starts a
   * new one, so read it where you await it. A rejection that nobody handles is no error of the page.
   *
   * It rejects with a CountersignError: `auth_failed` (the endpoint did not sign), `subscription_refused` (by the broker),
   * `unsubscribed`, or `disconnected` (the client has stopped); its `cause` is the error of `pusher:subscription_error`.
   *
   * @example
   * ```ts
   * const lobby = await client.subscribe('presence-lobby').ready;
   * ```
   */
  get ready(): Promise<this> {
    this.#ready ??= deferred();
    this.#settleReady();
    return this.#ready.promise;
  }

  /** What became of the subscription. */
  get status(): ChannelStatus {
    return this.subscribed ? 'subscribed' : (this.#end ?? 'pending');
  }

  /** Whether the subscription is requested on the current connection and not confirmed yet. */
  get subscriptionPending(): boolean {
    return this.#phase !== 'idle' && !this.subscribed;
  }

  /**
   * Sends a client event to the other subscribers of a private or presence channel. You may ignore the promise: a
   * rejection that nobody handles is no error of the page.
   *
   * @param event a name that starts with `client-`
   * @param data anything that JSON can represent; the broker accepts 10 KiB by default
   * @param options `traceparent` (W3C Trace Context) names what caused the event: other clients of ours and webhooks get it
   * @returns resolves when the broker has published the event, and with another broker once it is sent. It rejects with a
   *   CountersignError: `not_subscribed`, `event_rate` or another code of the broker, `timeout` or `disconnected`
   * @throws CountersignError `invalid_event` if the name does not start with `client-`, or the channel is public or encrypted
   * @example
   * ```ts
   * const room = client.subscribe('private-room-7');
   * room.trigger('client-typing', { on: true });
   * await room.trigger('client-message', { text: 'Hello' });
   * ```
   */
  trigger<Name extends keyof Events & `client-${string}`>(
    event: Name,
    data: Events[Name],
    { traceparent }: { readonly traceparent?: string } = {},
  ): Promise<Published> {
    if (!event.startsWith('client-')) {
      throw new CountersignError('invalid_event', `"${event}" does not start with "client-"`);
    }
    if (!needsGrant(this.name) || this.name.startsWith('private-encrypted-')) {
      const which = 'only private and presence channels that are not encrypted do';
      throw new CountersignError('invalid_event', `"${this.name}" carries no client events: ${which}`);
    }
    // A string that is JSON would arrive as the value it represents.
    const value = typeof data === 'string' && parseJson(data) !== data ? JSON.stringify(data) : data;
    // The broker refuses client events without data.
    const { owner, name } = this;
    const send = (id?: string): boolean =>
      this.subscribed && owner.send(encode(event, value === undefined ? {} : value, name, id, traceparent));
    return owner.acknowledgements.publish(send, owner.isCapable);
  }

  /**
   * Loads a state that events change, without a race: the channel is subscribed first and holds its events, `load` is called,
   * the channel emits `countersign:state`, and then the events that came meanwhile. It loads again whenever events may be
   * missing: after a reconnect on a channel without a history, and when what was missed is lost.
   *
   * An event that came during the load may be in the state already. After a failure it emits `countersign:state_error`, and
   * tries again.
   *
   * @returns a function that ends it
   * @example
   * ```ts
   * const room = client.subscribe('private-room-7');
   * const messages: unknown[] = [];
   * room.on('countersign:state', (loaded: unknown[]) => messages.splice(0, Infinity, ...loaded));
   * room.on('message', (message) => messages.push(message));
   * room.load(async () => (await fetch('/rooms/7/messages')).json());
   * ```
   */
  load(load: () => unknown): () => void {
    this.#load?.end();
    const current = this.stateLoad(load, (state) => this.emit('countersign:state', state));
    this.#load = current;
    if (this.subscribed) current.begin();
    return () => {
      current.end();
      if (this.#load === current) this.#load = undefined;
    };
  }

  /** @internal */
  stateLoad<State>(load: () => Promise<State> | State, loaded: (state: State) => void): StateLoad<State> {
    const failed = (error: unknown, retryIn: number): void =>
      this.emit('countersign:state_error', { error, retryIn });
    return new StateLoad({ load, loaded, failed, retries: this.owner.retries });
  }

  /** @internal Subscribes on the current connection, unless that is done or in progress. */
  join(): void {
    if (!this.owner.socketId || this.#phase !== 'idle') return;
    this.#phase = 'authorizing';
    if (this.#end === 'refused') this.#end = this.error = this.#ready = undefined;
    this.#ask();
  }

  /** @internal Unsubscribes. @returns whether the broker has yet to respond to a subscribe frame */
  leave(): boolean {
    const owed = this.#phase === 'sent';
    if (this.subscribed) this.owner.send(encode('pusher:unsubscribe', { channel: this.name }));
    this.reset();
    this.end('unsubscribed');
    this.#load?.end();
    return owed;
  }

  /** @internal Nothing subscribes it again by itself. */
  end(code: 'unsubscribed' | 'disconnected'): void {
    this.#ready?.reject(new CountersignError(code, `"${this.name}" is not subscribed`));
    this.#ready = undefined;
  }

  /** @internal Forgets the state of a lost connection. */
  reset(): void {
    this.#attempt?.end();
    this.#attempt = undefined;
    this.owner.retries.delete(this.#again);
    this.owner.renewals.delete(this.#again);
    if (this.subscribed || this.#end === 'refused') this.#ready = undefined;
    this.#phase = 'idle';
    this.expiresAt = this.#end = this.error = undefined;
  }

  /** @internal Handles a frame for this channel. */
  receive(message: Message): void {
    const { event, data } = message;
    const fields = asObject(data) ?? {};
    if (event === `${INTERNAL}subscription_succeeded`) {
      this.#granted(message.expires_at);
      this.#begun(message);
    } else if (event === SUBSCRIPTION_ERROR) {
      this.#refused(fields, isTemporary(Number(fields['status'])) ? 0 : undefined);
    } else if (!this.subscribed) {
      // A late frame of a subscription that has ended.
    } else if (event === GRANT_RENEWED) {
      this.#granted(fields['expires_at']);
      this.emit(event, data);
    } else if (event.startsWith(EXTENSION)) {
      if (event.endsWith('grant_expiring')) this.owner.renewals.add(this.#again, 0);
    } else if (event === `${INTERNAL}subscription_count`) {
      this.subscriptionCount = Number(fields['subscription_count']);
      this.emit('pusher:subscription_count', data);
    } else if (event.startsWith(INTERNAL)) {
      this.internal(event, fields);
    } else {
      this.received(message);
    }
  }

  /** @internal Whether a token opens the channel in place of the app's endpoint. */
  protected get byToken(): boolean {
    return this.owner.token !== undefined;
  }

  /** @internal Gets the grant for the subscribe frame. */
  protected async grant(socketId: string, signal: AbortSignal): Promise<ChannelGrant> {
    if (!needsGrant(this.name)) return { auth: '' };
    if (!this.byToken) return this.owner.authorizer.channel({ socketId, channelName: this.name }, signal);
    if (!(await this.owner.userId())) throw failure('The token was refused', 401, {});
    return { auth: '' };
  }

  /** @internal Handles the broker's confirmation. @returns the data for listeners */
  protected accepted(data: unknown): unknown {
    return data;
  }

  /** @internal Handles another event of the protocol. */
  protected internal(_event: string, _data: Readonly<Record<string, unknown>>): void {}

  /** @internal Handles an event for the app. */
  protected received(message: Message): void {
    this.deliver(message.event, message.data, message);
  }

  /** @internal */
  protected deliver(event: string, data: unknown, message: Message): void {
    const { user_id, traceparent } = message;
    const metadata: Metadata = { ...(user_id && { user_id }), ...(traceparent && { traceparent }) };
    const hand = (): void => {
      this.emit(event, data, metadata);
      this.owner.emit(event, data, metadata);
    };
    if (!this.#recovery.isRepeated(message)) {
      if (this.#load) this.#load.take(hand);
      else hand();
    }
    this.passed(message);
  }

  /** @internal Goes on after an event that was delivered or dropped. */
  protected passed(message: Message): void {
    const count = this.#recovery.pass(message);
    if (count !== undefined) this.emit('countersign:recovered', { count });
  }

  #begun(message: Message): void {
    const outcome = this.#recovery.begin(message, this.owner.socketId);
    const { status } = outcome;
    this.isRecovered = status === 'recovered';
    this.emit(SUBSCRIPTION_SUCCEEDED, this.accepted(message.data));
    if (status === 'recovered' && outcome.count === 0) this.emit('countersign:recovered', { count: 0 });
    if (status === 'lost') this.emit('countersign:recovery_lost', { code: outcome.code });
    if (!this.isRecovered) this.#load?.begin();
    this.#settleReady();
  }

  #settleReady(): void {
    if (this.subscribed) this.#ready?.resolve(this);
    else if (this.#end === 'refused') this.#ready?.reject(errorOf(this.error!));
  }

  /** Asks for a grant and sends it: to join, or to renew the grant of the subscription. */
  #ask(): void {
    this.#attempt?.end();
    // A grant is valid for one connection, so the attempt ends with the connection.
    this.#attempt = new Attempt(
      this.owner,
      (signal) => this.grant(this.owner.socketId!, signal),
      ({ auth, channel_data }) => {
        if (!this.subscribed) this.#phase = 'sent';
        this.owner.send(
          encode('pusher:subscribe', {
            auth,
            channel_data: channel_data || undefined,
            channel: this.name,
            ...(!this.subscribed && this.#recovery.request()),
          }),
        );
      },
      ({ code, reason, status, message, url, body, retryAfter }) =>
        this.#refused(
          {
            type: code === 'timeout' ? 'TimeoutError' : reason ? 'EndpointError' : 'AuthError',
            status,
            error: message,
            code: code === 'timeout' ? code : reason,
            url,
            body,
            renewal: this.subscribed,
          },
          retryAfter,
        ),
    );
  }

  #granted(expiresAt: unknown): void {
    this.#attempt?.end();
    this.owner.retries.delete(this.#again, true);
    this.#phase = 'subscribed';
    this.#wasRevoked = false;
    this.#end = this.error = undefined;
    this.expiresAt = (expiresAt as number | null) ?? undefined;
  }

  /** @param retryAfter pause in ms before the next attempt, at least; `undefined` if the refusal is final */
  #refused(refusal: Readonly<Record<string, unknown>>, retryAfter: number | undefined): void {
    const { code, renewal } = refusal;
    let pause = retryAfter;
    if (code === 'grant_expired') pause = 0;
    if (code === 'grant_revoked' && !this.subscribed && !this.#wasRevoked) {
      this.#wasRevoked = true;
      pause = REVOKED_SECOND;
    }
    // The refusal of a renewal concerns the subscription for which it was asked.
    if (renewal && !this.subscribed) return;
    const isExpired = code === 'grant_expired' || this.#end === 'expired';
    if (renewal) this.#attempt?.end();
    else this.reset();
    const error: SubscriptionError = {
      ...subscriptionError(refusal),
      ...(pause !== undefined && { retryIn: this.owner.retries.add(this.#again, pause) }),
    };
    this.error = error;
    if (pause === undefined) this.#end = 'refused';
    else if (isExpired) this.#end = 'expired';
    this.#settleReady();
    const isHeard =
      this.hears(SUBSCRIPTION_ERROR) || (this.status === 'refused' && this.#ready !== undefined);
    this.emit(SUBSCRIPTION_ERROR, error);
    this.owner.emit(SUBSCRIPTION_ERROR, error);
    if (!isHeard) this.owner.unheard(this.name, error);
  }
}

/** Whether channels of this name need a grant from the app. */
function needsGrant(name: string): boolean {
  return name.startsWith('private-') || name.startsWith('presence-');
}
