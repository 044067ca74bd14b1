import { Emitter } from '../emitter.ts';
import { docsOf } from '../errors.ts';
import { type Delays, OVERLOAD_PAUSE, reactionTo, retryDelay } from './backoff.ts';
import { watchPage } from './page.ts';
import { asObject, type Message } from './protocol.ts';
import { Socket, type SocketOptions } from './socket.ts';

/**
 * The state of a connection.
 *
 * - `initialized`: `connect()` was not called yet
 * - `connecting`: not connected; it tries, or waits to try again
 * - `connected`: a socket is open and the broker has established the connection
 * - `unavailable`: not connected for longer than `unavailableTimeout`; it goes on trying
 * - `failed`: the platform has no WebSocket, or refuses the URL; it has stopped
 * - `disconnected`: by `disconnect()`, or because the broker forbade reconnecting; it has stopped
 */
export type ConnectionState =
  | 'initialized'
  | 'connecting'
  | 'connected'
  | 'unavailable'
  | 'failed'
  | 'disconnected';

/** A report of the broker, the reason why a connection ended, or why an attempt failed. */
export interface ConnectionError {
  readonly type: 'PusherError' | 'WebSocketError';
  /** `code` is a number of the protocol, or null if it has none for the case; `error_code` is the broker's text code. */
  readonly data: { readonly code: number | null; readonly message: string; readonly error_code?: string };
  /** The broker's URL, without the query. */
  readonly url: string;
  /** Where the documentation explains it. */
  readonly docs: string;
}

/** Events of a connection: `state_change`, each state by its name, `error` and `message`. */
export interface ConnectionEvents {
  state_change: { readonly previous: ConnectionState; readonly current: ConnectionState };
  connected: { readonly socket_id: string };
  initialized: undefined;
  connecting: undefined;
  unavailable: undefined;
  failed: undefined;
  disconnected: undefined;
  error: ConnectionError;
  /** Every frame of the broker after `pusher:connection_established`. */
  message: Message;
}

export interface ConnectionOptions extends SocketOptions {
  /** The broker's URL without its scheme. */
  readonly address: string;
  readonly tls: boolean;
  readonly unavailableTimeout: number;
  readonly reconnect: Delays;
}

/** The client's reactions to changes of its connection, called before the app's listeners. */
export interface ConnectionOwner {
  opened(socketId: string): void;
  /** @param stopped whether the connection will not be tried again */
  lost(stopped: boolean): void;
  message(message: Message): void;
  /** The app does not listen to this error, and it is not just the end of a connection that will be replaced. */
  unheard(error: ConnectionError): void;
}

/**
 * The client's connection to the broker. It replaces its WebSocket whenever that is lost.
 *
 * @example
 * ```ts
 * client.connection.on('connected', ({ socket_id }) => console.log(socket_id));
 * client.connection.on('error', ({ type, data }) => console.warn(type, data.code, data.message));
 * ```
 */
export class Connection extends Emitter<ConnectionEvents> {
  readonly #options: ConnectionOptions;
  readonly #owner: ConnectionOwner;
  #state: ConnectionState = 'initialized';
  /** @internal Whether the broker of the present connection understands the extensions of the protocol. */
  isCapable = false;
  #socketId: string | undefined;
  #socket: Socket | undefined;
  #tls: boolean;
  /** Consecutive ends without a stable connection between them. */
  #tries = 0;
  /** The client must not return to an overloaded broker before this moment. */
  #notBefore = 0;
  /** The code of the broker's last `pusher:error`, so that a close with the same code is not reported twice. */
  #announced: number | null = null;
  #cancelDial: (() => void) | undefined;
  #cancelStable = (): void => {};
  #cancelUnavailable = (): void => {};
  #unwatchPage = (): void => {};

  /** @internal */
  constructor(options: ConnectionOptions, owner: ConnectionOwner) {
    super();
    this.#options = options;
    this.#owner = owner;
    this.#tls = options.tls;
  }

  /** The current state. */
  get state(): ConnectionState {
    return this.#state;
  }

  /** The broker's id of this connection, such as `1234.5678`; `undefined` while not connected. Each connection has a new id. */
  get socket_id(): string | undefined {
    return this.#socketId;
  }

  /**
   * Connects, and reconnects until {@link disconnect}.
   *
   * @example
   * ```ts
   * if (client.connection.state === 'failed') client.connection.connect();
   * ```
   */
  connect(): void {
    if (this.#socket || this.#cancelDial) return;
    this.#tries = 0;
    this.#unwatchPage = watchPage(
      () => this.#wake(),
      () => this.#leave(),
    );
    this.#dialAfter(0);
    this.#seek();
  }

  /**
   * Closes the connection and cancels every timer. {@link connect} starts anew.
   *
   * @example
   * ```ts
   * client.connection.disconnect();
   * ```
   */
  disconnect(): void {
    this.#socket?.close();
    this.#stop('disconnected');
  }

  /** @internal Sends a frame. @returns false without a connection */
  send(frame: string): boolean {
    return this.#socket?.send(frame) ?? false;
  }

  #dialAfter(ms: number): void {
    this.#cancelDial = this.#options.clock.after(ms, () => this.#dial());
  }

  #dial(): void {
    this.#cancelDial = undefined;
    try {
      this.#socket = new Socket(this.#url, this.#options, {
        opened: (socketId, isCapable) => this.#opened(socketId, isCapable),
        message: (message) => this.#received(message),
        closed: (code, reason) => this.#closed(code, reason),
      });
    } catch (error) {
      this.#stop('failed');
      this.#report('WebSocketError', null, String(error));
    }
  }

  get #url(): string {
    return (this.#tls ? 'wss:' : 'ws:') + this.#options.address;
  }

  #opened(socketId: string, isCapable: boolean): void {
    this.isCapable = isCapable;
    const { clock, reconnect } = this.#options;
    this.#cancelUnavailable();
    this.#cancelStable = clock.after(reconnect.stableAfter, () => {
      this.#tries = 0;
    });
    this.#socketId = socketId;
    this.#move('connected', { socket_id: socketId }, () => this.#owner.opened(socketId));
  }

  #received(message: Message | undefined): void {
    if (!message) return this.#report('WebSocketError', null, 'Not a protocol frame');
    if (message.event === 'pusher:error') {
      const { code, message: text, error_code: errorCode } = asObject(message.data) ?? {};
      this.#announced = typeof code === 'number' ? code : null;
      this.#report('PusherError', this.#announced, String(text ?? ''), errorCode);
    }
    this.#owner.message(message);
    this.emit('message', message);
  }

  #closed(code: number, reason: string): void {
    const isAnnounced = code === this.#announced;
    const wasConnected = this.#state === 'connected';
    // The next attempt may have another one.
    const url = this.#url;
    this.#lost(code);
    // After the change of state, so that listeners do not find a state that implies a socket.
    if (isAnnounced) return;
    if (code >= 4000) this.#report('PusherError', code, reason, undefined, url);
    else
      this.#report(
        'WebSocketError',
        null,
        reason || `Closed with code ${code}`,
        undefined,
        url,
        wasConnected,
      );
  }

  #lost(code: number): void {
    this.#cancelStable();
    this.#socket = undefined;
    this.#announced = null;
    const { reconnect, clock } = this.#options;
    const reaction = reactionTo(code);
    if (reaction === 'stop' || (reaction === 'retry over TLS' && this.#tls))
      return this.#stop('disconnected');
    if (reaction === 'retry over TLS') this.#tls = true;
    this.#notBefore = clock.now() + (reaction === 'retry later' ? OVERLOAD_PAUSE : 0);
    this.#dialAfter(retryDelay(reaction, this.#tries++, reconnect, clock.random()));
    if (this.#state === 'connected') this.#seek();
  }

  #wake(): void {
    this.#socket?.check();
    if (!this.#cancelDial) return;
    this.#cancelDial();
    this.#dialAfter(Math.max(0, this.#notBefore - this.#options.clock.now()));
  }

  #leave(): void {
    if (!this.#socket) return;
    this.#socket.close();
    this.#lost(1000);
  }

  #seek(): void {
    const { clock, unavailableTimeout } = this.#options;
    this.#cancelUnavailable = clock.after(unavailableTimeout, () => this.#move('unavailable'));
    this.#move('connecting', undefined, () => this.#owner.lost(false));
  }

  #stop(state: 'disconnected' | 'failed'): void {
    this.#socket = undefined;
    this.#cancelDial?.();
    this.#cancelDial = undefined;
    this.#cancelStable();
    this.#cancelUnavailable();
    this.#unwatchPage();
    if (this.#state !== state) this.#move(state, undefined, () => this.#owner.lost(true));
  }

  #move(current: ConnectionState, data?: unknown, inform?: () => void): void {
    const previous = this.#state;
    this.#state = current;
    if (current !== 'connected') this.#socketId = undefined;
    inform?.();
    // A listener may have changed the state again; that change has been emitted already.
    if (this.#state === current) this.emit('state_change', { previous, current });
    if (this.#state === current) this.emit(current, data);
  }

  #report(
    type: ConnectionError['type'],
    code: number | null,
    message: string,
    errorCode?: unknown,
    url = this.#url,
    wasConnected = false,
  ): void {
    const isNamed = typeof errorCode === 'string';
    const error: ConnectionError = {
      type,
      data: { code, message, ...(isNamed && { error_code: errorCode }) },
      url: url.replace(/\?.*/, ''),
      docs: docsOf(isNamed ? errorCode : (code ?? (type === 'PusherError' ? 'null' : 'connection_failed'))),
    };
    const isHeard = this.hears('error');
    this.emit('error', error);
    // The client reconnects by itself after a loss, or when a node drains.
    const isRoutine = wasConnected || (code !== null && code >= 4200 && code < 4300);
    if (!isRoutine && !isHeard) this.#owner.unheard(error);
  }
}
