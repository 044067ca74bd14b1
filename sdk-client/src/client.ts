import { AppAuthorizer } from './auth.ts';
import type { AnyEvents, Channel, ChannelOwner } from './channel.ts';
import type { AnyChannels, ChannelName, ChannelOf } from './channel-map.ts';
import { Channels } from './channels.ts';
import { Connection } from './connection.ts';
import { Emitter } from './emitter.ts';
import { CountersignError } from './errors.ts';
import { type CountersignOptions, complete } from './options.ts';
import { INTERNAL, type Message, USER_CHANNEL } from './protocol.ts';
import { Retries } from './retries.ts';
import { User, type UserData, type UserOwner } from './user.ts';
import { VERSION } from './version.ts';

/** Events that the SDK raises itself on the client. */
export interface ClientEvents {
  /** The app has ended this user's connections; this one ends next and does not come back by itself. */
  terminated: { readonly reason: string };
  /** `auth.refresh` answered that nobody is signed in any more. */
  signedOut: undefined;
}

/**
 * A client of one app. It connects when it is made, unless `autoConnect` is false, and stays connected until
 * {@link disconnect}.
 *
 * Listeners bound to the client itself get the events of all channels. `ChannelMap` declares the app's channels and
 * events, so that names and data are checked when the page is compiled.
 */
export class Countersign<ChannelMap extends object = AnyChannels> extends Emitter<ClientEvents & AnyEvents> {
  readonly key: string;
  readonly connection: Connection;
  /** The signed-in user. */
  readonly user: User;
  readonly #channels: Channels;

  /**
   * @param key public key of the app
   * @throws CountersignError `invalid_option` for an option that is missing, unknown or impossible
   */
  constructor(key: string, options: CountersignOptions) {
    super();
    if (!key) throw new CountersignError('invalid_option', 'The key is missing');
    const settings = complete(options ?? {});
    this.key = key;
    this.connection = new Connection(
      {
        ...settings,
        address: `//${settings.address}/app/${encodeURIComponent(key)}?protocol=7&client=countersign-js&version=${VERSION}`,
        tls: settings.forceTLS || globalThis.location?.protocol === 'https:',
      },
      {
        opened: () => {
          // First, for presence channels may be joined as the signed-in user.
          this.user.opened();
          this.#channels.opened();
        },
        lost: (stopped) => {
          this.user.lost(stopped);
          this.#channels.lost();
          if (stopped) owner.authorizer.end();
        },
        message: (message) => this.#receive(message),
      },
    );
    const { connection } = this;
    const owner: ChannelOwner & UserOwner = {
      ...settings,
      authorizer: new AppAuthorizer(settings, () => this.emit('signedOut')),
      retries: new Retries(settings),
      get socketId() {
        return connection.socket_id;
      },
      send: (frame) => connection.send(frame),
      userId: () => this.user.id(),
      emit: (event, data, metadata) => this.emit(event, data, metadata),
    };
    this.user = new User(owner);
    this.#channels = new Channels(owner, settings.encryption);
    if (settings.autoConnect) this.connect();
  }

  /** Connects again after {@link disconnect}, or after the broker told this client not to come back. */
  connect(): void {
    this.connection.connect();
  }

  /** Ends the connection and all that waits for it. Channels are kept for the next {@link connect}. */
  disconnect(): void {
    this.connection.disconnect();
  }

  /**
   * Subscribes now or as soon as there is a connection, and on each connection after that. A channel that was
   * refused is asked for again at once. Listen for `pusher:subscription_succeeded` and `pusher:subscription_error`.
   *
   * @throws CountersignError `invalid_channel`, or `encryption_missing` for an encrypted channel without that option
   */
  subscribe<Name extends ChannelName<ChannelMap>>(name: Name): ChannelOf<ChannelMap, Name> {
    return this.subscribeFor(this, name) as unknown as ChannelOf<ChannelMap, Name>;
  }

  /**
   * Ends what {@link subscribe} began. The subscription ends, unless components of the page use the channel; its object
   * gets nothing more then, and subscribing again makes another one.
   */
  unsubscribe(name: ChannelName<ChannelMap>): void {
    this.unsubscribeFor(this, name);
  }

  /** @internal One more use of a channel. */
  subscribeFor(user: object, name: string): Channel {
    return this.#channels.subscribe(name, user);
  }

  /** @internal The end of it. */
  unsubscribeFor(user: object, name: string): void {
    this.#channels.unsubscribe(name, user);
  }

  /** The channel, if it has been subscribed to. */
  channel<Name extends ChannelName<ChannelMap>>(name: Name): ChannelOf<ChannelMap, Name> | undefined {
    return this.#channels.get(name) as unknown as ChannelOf<ChannelMap, Name> | undefined;
  }

  /** Every channel that has been subscribed to. */
  allChannels(): Channel[] {
    return this.#channels.all();
  }

  /**
   * Signs this connection in as the user that the app's endpoint vouches for, and each connection after it.
   * Waits for a connection if there is none. Repeated calls share one sign-in. A temporary failure is tried again,
   * and rejects only if that takes longer than `requestTimeout`; the client goes on trying then, too.
   *
   * Rejects with CountersignError `auth_failed` (the endpoint did not sign), `signin_refused` (the broker said no),
   * `timeout` or `disconnected`.
   */
  signin(): Promise<UserData> {
    return this.user.signin();
  }

  #receive(message: Message): void {
    this.user.receive(message);
    // Not one of the channels that the app has subscribed to: they would end it.
    if (message.channel?.startsWith(USER_CHANNEL)) return;
    if (message.channel !== undefined) this.#channels.receive(message.channel, message);
    else if (message.event === 'countersign:terminated') this.emit('terminated', message.data);
    else if (!message.event.startsWith(INTERNAL)) this.emit(message.event, message.data);
  }
}
