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

/** Why a subscription was refused or ended. The connection stays. */
export interface SubscriptionError {
  /** `AuthError`, `InvalidChannel`, `InvalidChannelData`, `LimitReached`, `ServerError`, or `TimeoutError`. */
  readonly type: string;
  /** The status of the app's endpoint or of the broker; 0 if there was no answer. */
  readonly status: number;
  readonly message: string;
  /** The message, under the name that other Channels clients use. */
  readonly error: string;
  /** After how many ms the client asks again by itself. Absent where the refusal is final. */
  readonly retryIn?: number;
}

/** Events that the SDK raises itself on every channel. */
export interface ChannelEvents {
  'pusher:subscription_succeeded': unknown;
  'pusher:subscription_error': SubscriptionError;
  'pusher:subscription_count': { readonly subscription_count: number };
  'pusher:cache_miss': unknown;
  'pusher:decryption_error': { readonly event: string; readonly message: string };
}

/** Event names and the types of their data where the app declared none. */
export type AnyEvents = Record<string, unknown>;

/** What a channel needs of its client. */
export interface ChannelOwner extends AttemptSettings {
  readonly socketId: string | undefined;
  send(frame: string): boolean;
  readonly authorizer: Authorizer;
  readonly retries: Retries;
  /** Who this connection is signed in as, once a sign-in in progress is over. */
  userId(): Promise<string | undefined>;
  /** An event of any channel, for listeners on the client. */
  emit(event: string, data: unknown, metadata?: Metadata): void;
}

type Phase = 'idle' | 'authorizing' | 'sent' | 'subscribed';

/** A subscription that the app wants, through all connections until it unsubscribes. */
export class Channel<Events extends object = AnyEvents> extends Emitter<ChannelEvents & Events> {
  readonly name: string;
  /** How many connections are subscribed, if the broker tells. */
  subscriptionCount: number | undefined;
  /** @internal */
  protected readonly owner: ChannelOwner;
  #phase: Phase = 'idle';
  #attempt: Attempt<ChannelGrant> | undefined;
  readonly #again = (): void => this.join();
  /** @internal Who wants it: the app by the client, and what else subscribes for a part of the app. */
  readonly uses = new Set<object>();

  /** @internal */
  constructor(name: string, owner: ChannelOwner) {
    super();
    this.name = name;
    this.owner = owner;
  }

  /** Whether the broker has confirmed it on the present connection. */
  get subscribed(): boolean {
    return this.#phase === 'subscribed';
  }

  /** Whether it has been asked for on the present connection, and not answered. */
  get subscriptionPending(): boolean {
    return this.#phase !== 'idle' && !this.subscribed;
  }

  /**
   * Sends a client event to the other subscribers of a private or presence channel.
   *
   * @returns whether it left; false while the channel is not subscribed
   * @throws CountersignError `invalid_event` if the name does not start with `client-` or the channel carries no client events
   */
  trigger<Name extends keyof Events & `client-${string}`>(event: Name, data: Events[Name]): boolean {
    if (!event.startsWith('client-')) {
      throw new CountersignError('invalid_event', `"${event}" does not start with "client-"`);
    }
    if (!needsGrant(this.name) || this.name.startsWith('private-encrypted-')) {
      throw new CountersignError('invalid_event', `"${this.name}" carries no client events`);
    }
    // A text that looks like JSON would arrive as what it says.
    const value = typeof data === 'string' && parseJson(data) !== data ? JSON.stringify(data) : data;
    // Without data it would not be a client event.
    return this.subscribed && this.owner.send(encode(event, value === undefined ? {} : value, this.name));
  }

  /** @internal Subscribes on the present connection, unless that is done or under way. */
  join(): void {
    const { socketId } = this.owner;
    if (!socketId || this.#phase !== 'idle') return;
    this.#phase = 'authorizing';
    // It ends with the connection or the wish, for its grant would be wrong on the next one.
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

  /** @internal The app has unsubscribed. Answers whether the broker still owes the answer to a subscribe. */
  leave(): boolean {
    const owed = this.#phase === 'sent';
    if (this.subscribed) this.owner.send(encode('pusher:unsubscribe', { channel: this.name }));
    this.reset();
    return owed;
  }

  /** @internal The connection is gone, and what it knew with it. */
  reset(): void {
    this.#attempt?.end();
    this.#attempt = undefined;
    this.owner.retries.delete(this.#again);
    this.#phase = 'idle';
  }

  /** @internal A frame for this channel. */
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
      // The rest of a subscription that is over.
    } else if (event === `${INTERNAL}subscription_count`) {
      this.subscriptionCount = Number(asObject(data)?.['subscription_count']);
      this.emit('pusher:subscription_count', data);
    } else if (event.startsWith(INTERNAL)) {
      this.internal(event, asObject(data) ?? {});
    } else {
      this.received(message);
    }
  }

  /** @internal Asks for what the subscribe frame must carry. */
  protected async grant(socketId: string, signal: AbortSignal): Promise<ChannelGrant> {
    return needsGrant(this.name)
      ? this.owner.authorizer.channel({ socketId, channelName: this.name }, signal)
      : { auth: '' };
  }

  /** @internal The broker's confirmation; answers what listeners are given. */
  protected accepted(data: unknown): unknown {
    return data;
  }

  /** @internal Another event of the protocol. */
  protected internal(_event: string, _data: Readonly<Record<string, unknown>>): void {}

  /** @internal An event for the app. */
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

  /** @param retryAfter ms before which it is not asked for again; `undefined` if that is for the app to do */
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

/** A refusal as the broker words it, with every field that listeners are promised. */
export function subscriptionError(refusal: unknown): SubscriptionError {
  const { type = 'ServerError', status = 0, error = 'Refused' } = asObject(refusal) ?? {};
  return { type: String(type), status: Number(status), error: String(error), message: String(error) };
}

/** Whether the app must sign for a channel of this name. */
function needsGrant(name: string): boolean {
  return name.startsWith('private-') || name.startsWith('presence-');
}
