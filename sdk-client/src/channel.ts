import { Attempt, type AttemptSettings } from './attempt.ts';
import { Emitter, type Metadata } from './emitter.ts';
import { CountersignError, isTemporary } from './errors.ts';
import type { Authorizer, ChannelGrant } from './grants.ts';
import {
  asObject,
  encode,
  INTERNAL,
  type Message,
  parseJson,
  SUBSCRIPTION_ERROR,
  SUBSCRIPTION_SUCCEEDED,
} from './protocol.ts';
import type { Retries } from './retries.ts';

/** Why a subscription was refused or ended; data of `pusher:subscription_error`. The connection stays open. */
export interface SubscriptionError {
  /** `AuthError`, `InvalidChannel`, `InvalidChannelData`, `LimitReached`, `ServerError`, or `TimeoutError`. */
  readonly type: string;
  /** HTTP status of the app's endpoint, or the broker's status; 0 if there was no response. */
  readonly status: number;
  readonly message: string;
  /** The same as `message`, under the name that other Channels clients use. */
  readonly error: string;
  /** Milliseconds until the client asks again by itself. Absent if the refusal is final. */
  readonly retryIn?: number;
}

/** Events of the protocol on every channel. */
export interface ChannelEvents {
  'pusher:subscription_succeeded': unknown;
  'pusher:subscription_error': SubscriptionError;
  'pusher:subscription_count': { readonly subscription_count: number };
  'pusher:cache_miss': unknown;
  'pusher:decryption_error': { readonly event: string; readonly message: string };
}

/** Event names and data of a channel for which the app declared none. */
export type AnyEvents = Record<string, unknown>;

/** What a channel uses of its client. */
export interface ChannelOwner extends AttemptSettings {
  readonly socketId: string | undefined;
  send(frame: string): boolean;
  readonly authorizer: Authorizer;
  readonly retries: Retries;
  /** The id of the signed-in user, once a sign-in in progress is over. */
  userId(): Promise<string | undefined>;
  /** Passes an event of a channel to listeners on the client. */
  emit(event: string, data: unknown, metadata?: Metadata): void;
}

type Phase = 'idle' | 'authorizing' | 'sent' | 'subscribed';

/**
 * A channel that the app has subscribed to. It subscribes on each new connection, until the app unsubscribes.
 *
 * @example
 * ```ts
 * const news = client.subscribe('news');
 * news.bind('published', (data) => console.log(data));
 * news.bind('pusher:subscription_error', ({ status, message, retryIn }) => console.warn(status, message, retryIn));
 * ```
 */
export class Channel<Events extends object = AnyEvents> extends Emitter<ChannelEvents & Events> {
  readonly name: string;
  /** Number of subscribed connections, if the app has `subscription_count` enabled at the broker. */
  subscriptionCount: number | undefined;
  /** @internal */
  protected readonly owner: ChannelOwner;
  #phase: Phase = 'idle';
  #attempt: Attempt<ChannelGrant> | undefined;
  readonly #again = (): void => this.join();
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

  /** Whether the subscription is requested on the current connection and not confirmed yet. */
  get subscriptionPending(): boolean {
    return this.#phase !== 'idle' && !this.subscribed;
  }

  /**
   * Sends a client event to the other subscribers of a private or presence channel.
   *
   * @param event a name that starts with `client-`
   * @param data anything that JSON can represent; the broker accepts 10 KiB by default
   * @returns whether the event was sent; false while the channel is not subscribed
   * @throws CountersignError `invalid_event` if the name does not start with `client-`, or the channel is public or encrypted
   * @example
   * ```ts
   * const room = client.subscribe('private-room-7');
   * const wasSent = room.trigger('client-typing', { on: true });
   * ```
   */
  trigger<Name extends keyof Events & `client-${string}`>(event: Name, data: Events[Name]): boolean {
    if (!event.startsWith('client-')) {
      throw new CountersignError('invalid_event', `"${event}" does not start with "client-"`);
    }
    if (!needsGrant(this.name) || this.name.startsWith('private-encrypted-')) {
      throw new CountersignError('invalid_event', `"${this.name}" carries no client events`);
    }
    // A string that is JSON would arrive as the value it represents.
    const value = typeof data === 'string' && parseJson(data) !== data ? JSON.stringify(data) : data;
    // The broker refuses client events without data.
    return this.subscribed && this.owner.send(encode(event, value === undefined ? {} : value, this.name));
  }

  /** @internal Subscribes on the current connection, unless that is done or in progress. */
  join(): void {
    const { socketId } = this.owner;
    if (!socketId || this.#phase !== 'idle') return;
    this.#phase = 'authorizing';
    // A grant is valid for one connection, so the attempt ends with the connection.
    this.#attempt = new Attempt(
      this.owner,
      (signal) => this.grant(socketId, signal),
      (grant) => this.#send(grant),
      ({ code, status, message, retryAfter }) =>
        this.#refused(
          { type: code === 'timeout' ? 'TimeoutError' : 'AuthError', status, error: message },
          retryAfter,
        ),
    );
  }

  /** @internal Unsubscribes. @returns whether the broker has yet to respond to a subscribe frame */
  leave(): boolean {
    const owed = this.#phase === 'sent';
    if (this.subscribed) this.owner.send(encode('pusher:unsubscribe', { channel: this.name }));
    this.reset();
    return owed;
  }

  /** @internal Forgets the state of a lost connection. */
  reset(): void {
    this.#attempt?.end();
    this.#attempt = undefined;
    this.owner.retries.delete(this.#again);
    this.#phase = 'idle';
  }

  /** @internal Handles a frame for this channel. */
  receive(message: Message): void {
    const { event, data } = message;
    if (event === `${INTERNAL}subscription_succeeded`) {
      this.#attempt?.end();
      this.owner.retries.delete(this.#again, true);
      this.#phase = 'subscribed';
      this.emit(SUBSCRIPTION_SUCCEEDED, this.accepted(data));
    } else if (event === SUBSCRIPTION_ERROR) {
      this.#refused(data, isTemporary(Number(asObject(data)?.['status'])) ? 0 : undefined);
    } else if (!this.subscribed) {
      // A late frame of a subscription that has ended.
    } else if (event === `${INTERNAL}subscription_count`) {
      this.subscriptionCount = Number(asObject(data)?.['subscription_count']);
      this.emit('pusher:subscription_count', data);
    } else if (event.startsWith(INTERNAL)) {
      this.internal(event, asObject(data) ?? {});
    } else {
      this.received(message);
    }
  }

  /** @internal Gets the grant for the subscribe frame. */
  protected async grant(socketId: string, signal: AbortSignal): Promise<ChannelGrant> {
    return needsGrant(this.name)
      ? this.owner.authorizer.channel({ socketId, channelName: this.name }, signal)
      : { auth: '' };
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
    const metadata: Metadata = message.user_id === undefined ? {} : { user_id: message.user_id };
    this.emit(event, data, metadata);
    this.owner.emit(event, data, metadata);
  }

  #send({ auth, channel_data }: ChannelGrant): void {
    this.#phase = 'sent';
    this.owner.send(
      encode('pusher:subscribe', { auth, channel_data: channel_data || undefined, channel: this.name }),
    );
  }

  /** @param retryAfter pause in ms before the next attempt, at least; `undefined` if the refusal is final */
  #refused(refusal: unknown, retryAfter: number | undefined): void {
    this.reset();
    const error: SubscriptionError = {
      ...subscriptionError(refusal),
      ...(retryAfter !== undefined && {
        retryIn: this.owner.retries.add(this.#again, retryAfter),
      }),
    };
    this.emit(SUBSCRIPTION_ERROR, error);
    this.owner.emit(SUBSCRIPTION_ERROR, error);
  }
}

/** Completes the broker's refusal with all fields of {@link SubscriptionError}. */
export function subscriptionError(refusal: unknown): SubscriptionError {
  const { type = 'ServerError', status = 0, error = 'Refused' } = asObject(refusal) ?? {};
  return { type: String(type), status: Number(status), error: String(error), message: String(error) };
}

/** Whether channels of this name need a grant from the app. */
function needsGrant(name: string): boolean {
  return name.startsWith('private-') || name.startsWith('presence-');
}
