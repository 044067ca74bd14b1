import { adviceFor, connectionAdvice } from './advice.ts';
import { AppAuthorizer } from './auth/auth.ts';
import { UNAUTHORIZED, User, type UserData, type UserOwner } from './auth/user.ts';
import { Acknowledgements } from './channels/acknowledgements.ts';
import type { Channel } from './channels/channel.ts';
import type { AnyEvents } from './channels/channel-events.ts';
import type { AnyChannels, ChannelName, ChannelOf } from './channels/channel-map.ts';
import type { ChannelOwner } from './channels/channel-owner.ts';
import { Channels } from './channels/channels.ts';
import { Connection } from './connection/connection.ts';
import {
  asObject,
  EXTENSION,
  INTERNAL,
  type Message,
  parse,
  SUBSCRIPTION_ERROR,
  USER_CHANNEL,
} from './connection/protocol.ts';
import { Retries } from './connection/retries.ts';
import { Emitter } from './emitter.ts';
import { CountersignError } from './errors.ts';
import { Log } from './log.ts';
import { type CountersignOptions, complete } from './options.ts';
import { VERSION } from './version.ts';

/** Delay in ms within which the grants of a connection that are about to end are collected, half of it random. */
const RENEWAL = { minDelay: 100, maxDelay: 100 };

/** Events of the SDK on the client itself. */
export interface ClientEvents {
  /**
   * The broker has closed the connection for good: the client does not reconnect by itself. `code` is a stable name of the
   * reason, such as `terminated` by the app's backend, `grant_revoked` or `superseded`.
   */
  terminated: { readonly reason: string; readonly code?: string };
  /** `auth.refresh` returned null: the user is signed out. */
  signedOut: undefined;
}

/**
 * A client of one app. It connects when it is created, unless `autoConnect` is false, and reconnects until
 * {@link disconnect}.
 *
 * Listeners bound to the client itself receive the events of all channels. `ChannelMap` declares the app's channels and
 * events, so that the compiler checks names and data.
 *
 * @example
 * ```ts
 * const client = new Countersign('key-1', { host: 'channels.example.com' });
 * client.subscribe('news').on('published', (data) => console.log(data));
 * client.connection.on('state_change', ({ previous, current }) => console.log(previous, current));
 * ```
 */
export class Countersign<ChannelMap extends object = AnyChannels> extends Emitter<ClientEvents & AnyEvents> {
  /** The app's public key. */
  readonly key: string;
  /** The connection to the broker: its state, socket id and errors. */
  readonly connection: Connection;
  /** The signed-in user. */
  readonly user: User;
  readonly #channels: Channels;
  readonly #acknowledgements: Acknowledgements;
  /** What the broker said of the close that comes next. */
  #farewell: unknown;

  /**
   * @param key the app's public key
   * @throws CountersignError `invalid_option` if an option is missing, unknown or invalid
   * @example
   * ```ts
   * new Countersign('key-1', { host: 'localhost', port: 6001, forceTLS: false });
   * ```
   */
  constructor(key: string, options: CountersignOptions) {
    super();
    if (!key) throw new CountersignError('invalid_option', 'The key is missing');
    const settings = complete(options ?? {});
    const log = new Log(settings.logLevel);
    this.key = key;
    this.connection = new Connection(
      {
        ...settings,
        address: `//${settings.address}/app/${encodeURIComponent(key)}?protocol=7&client=countersign-js&version=${VERSION}&countersign=1`,
        tls: settings.forceTLS || globalThis.location?.protocol === 'https:',
      },
      {
        opened: () => {
          // First, because presence channels may need the signed-in user.
          this.user.opened();
          this.#channels.opened();
        },
        lost: (stopped) => {
          this.user.lost(stopped);
          this.#channels.lost(stopped);
          this.#acknowledgements.lost();
          const farewell = this.#farewell;
          this.#farewell = undefined;
          if (!stopped) return;
          owner.authorizer.end();
          if (farewell) this.emit('terminated', farewell);
        },
        message: (message) => this.#receive(message),
        unheard: (error) => {
          if (this.#farewell && this.hears('terminated')) return;
          // The sign-in that the broker refuses so is told by itself.
          if (error.data.code === UNAUTHORIZED && this.user.isPending) return;
          const { data, url, docs } = error;
          const what = `${data.code === null && error.type === 'PusherError' ? 'Refused by' : 'Not connected to'} ${url}`;
          log.warn(what, { message: data.message, docs }, connectionAdvice(error), url);
        },
      },
    );
    this.#acknowledgements = new Acknowledgements(settings);
    const { connection } = this;
    if (log.isDebug)
      connection.bind_global((event, data) => {
        if (['state_change', 'error', 'message'].includes(event)) log.debug(event, data);
      });
    const owner: ChannelOwner & UserOwner = {
      ...settings,
      authorizer: new AppAuthorizer(settings, () => this.emit('signedOut')),
      retries: new Retries(settings),
      renewals: new Retries({ ...settings, reconnect: RENEWAL }),
      get socketId() {
        return connection.socket_id;
      },
      send: (frame) => {
        if (log.isDebug) {
          const { event, channel, data } = parse(frame) ?? {};
          log.debug(`sends ${event}`, channel ?? asObject(data)?.['channel'] ?? '');
        }
        return connection.send(frame);
      },
      acknowledgements: this.#acknowledgements,
      get isCapable() {
        return connection.isCapable;
      },
      userId: () => this.user.id(),
      emit: (event, data, metadata) => this.emit(event, data, metadata),
      unheard: (name, error) => {
        if (this.hears(SUBSCRIPTION_ERROR)) return;
        const what = error.renewal ? `The grant of ${name} is not renewed` : `${name} is not subscribed`;
        log.warn(what, error, adviceFor(error), name);
      },
      signInUnheard: (error) => {
        const { code, reason = code, status, message, url } = error;
        log.warn('Not signed in', error, adviceFor({ code: reason, status, message, url }), '');
      },
    };
    this.user = new User(owner);
    this.#channels = new Channels(owner, settings.encryption);
    if (settings.autoConnect) this.connect();
  }

  /**
   * Connects again after {@link disconnect}, or after the broker closed the connection for good.
   *
   * @example
   * ```ts
   * const client = new Countersign('key-1', { host: 'channels.example.com', autoConnect: false });
   * client.connect();
   * ```
   */
  connect(): void {
    this.connection.connect();
  }

  /**
   * Closes the connection and cancels all requests and timers. Channels subscribe again after the next {@link connect}.
   *
   * @example
   * ```ts
   * client.disconnect();
   * ```
   */
  disconnect(): void {
    this.connection.disconnect();
  }

  /**
   * Subscribes now or as soon as the client is connected, and again on each new connection. If the channel was refused
   * before, it asks again at once. The channel emits `pusher:subscription_succeeded` or `pusher:subscription_error`.
   *
   * @returns the channel, the same object for each call with this name
   * @throws CountersignError `invalid_channel`, or `encryption_missing` for an encrypted channel without that option
   * @example
   * ```ts
   * const lobby = client.subscribe('presence-lobby');
   * lobby.on('pusher:subscription_succeeded', (members) => console.log(members));
   * ```
   */
  subscribe<Name extends ChannelName<ChannelMap>>(name: Name): ChannelOf<ChannelMap, Name> {
    return this.subscribeFor(this, name) as unknown as ChannelOf<ChannelMap, Name>;
  }

  /**
   * Ends the app's subscription. The channel stays subscribed while components use it through hooks; otherwise its object
   * receives no more events, and the next {@link subscribe} creates another.
   *
   * @example
   * ```ts
   * client.unsubscribe('news');
   * ```
   */
  unsubscribe(name: ChannelName<ChannelMap>): void {
    this.unsubscribeFor(this, name);
  }

  /** @internal Subscribes for one more user of a channel. */
  subscribeFor(user: object, name: string): Channel {
    return this.#channels.subscribe(name, user);
  }

  /** @internal Unsubscribes for one user of a channel. */
  unsubscribeFor(user: object, name: string): void {
    this.#channels.unsubscribe(name, user);
  }

  /**
   * Returns a subscribed channel, or `undefined`.
   *
   * @example
   * ```ts
   * client.channel('news')?.unbind('published');
   * ```
   */
  channel<Name extends ChannelName<ChannelMap>>(name: Name): ChannelOf<ChannelMap, Name> | undefined {
    return this.#channels.get(name) as unknown as ChannelOf<ChannelMap, Name> | undefined;
  }

  /**
   * Returns all subscribed channels.
   *
   * @example
   * ```ts
   * for (const { name, subscribed } of client.allChannels()) console.log(name, subscribed);
   * ```
   */
  allChannels(): Channel[] {
    return this.#channels.all();
  }

  /**
   * Signs in, on this connection and each later one, as the user that the app's endpoint signs. It waits for a connection
   * if there is none. Concurrent calls share one sign-in. After a temporary failure it tries again; it rejects only if that
   * takes longer than `requestTimeout`, and goes on trying.
   *
   * Rejects with CountersignError `auth_failed` (the endpoint did not sign), `signin_refused` (by the broker), `timeout` or
   * `disconnected`.
   *
   * @returns the user data that the app signed
   * @example
   * ```ts
   * const { id } = await client.signin();
   * client.user.on('mail', (data) => console.log(id, data));
   * ```
   */
  signin(): Promise<UserData> {
    return this.user.signin();
  }

  #receive(message: Message): void {
    this.user.receive(message);
    // Channels would unsubscribe from it, because the app has not subscribed to it.
    if (message.channel?.startsWith(USER_CHANNEL)) return;
    if (message.channel !== undefined) this.#channels.receive(message.channel, message);
    else if (message.event.startsWith(EXTENSION)) {
      if (message.event.endsWith('terminated')) this.#farewell = message.data;
      else this.#acknowledgements.receive(message);
    } else if (!message.event.startsWith(INTERNAL)) this.emit(message.event, message.data);
  }
}
