import { bundled, type WebSocketConstructor, type WebSocketLike } from '../platform.ts';
import type { Clock } from './clock.ts';
import { asObject, encode, type Message, parse } from './protocol.ts';

/** Longest interval between checks of the clock, in ms. Short, because only a late check reveals that the machine slept. */
const TICK = 1_000;
/** A check that is this late means that the machine slept or the page's timers were throttled, in ms. */
const DRIFT = 3_000;
/** Longest wait for a response when the connection may be dead, in ms. */
const DOUBT = 2_000;

/** Close codes of the SDK itself, so that the connection handles every end in one way. */
const NO_ANSWER = 4201;
const ABNORMAL = 1006;

/** Events of one socket. Nothing follows `closed`. */
export interface SocketEvents {
  /** @param isCapable whether the broker understands the extensions of the protocol */
  opened(socketId: string, isCapable: boolean): void;
  /** @param message `undefined` for a frame that is not of the protocol */
  message(message: Message | undefined): void;
  closed(code: number, reason: string): void;
}

export interface SocketOptions {
  readonly clock: Clock;
  readonly WebSocket: WebSocketConstructor | undefined;
  /** Longest time from dialling until the connection is established, in ms. */
  readonly connectTimeout: number;
  /** Silence before a ping, in ms; the broker may require less. */
  readonly activityTimeout: number;
  /** Longest wait for any frame after a ping, in ms. */
  readonly pongTimeout: number;
}

/** One WebSocket, from dialling to its end: handshake of the protocol, pings, and a single `closed`. */
export class Socket {
  readonly #socket: WebSocketLike;
  readonly #options: SocketOptions;
  readonly #events: SocketEvents;
  #established = false;
  #ended = false;
  /** The platform's text for a failure; empty in browsers. */
  #failure = '';
  #activityTimeout: number;
  /** When the last frame arrived; before the first one, when the socket was dialled. */
  #heardAt: number;
  /** When the next check is due, by the wall clock. */
  #lookAt = 0;
  /** When an unanswered ping means that the connection is dead. */
  #deadline: number | undefined;
  #cancelTimer: () => void;

  /** @throws Error without a WebSocket, or the platform's error for a URL that it refuses */
  constructor(url: string, options: SocketOptions, events: SocketEvents) {
    this.#options = options;
    this.#events = events;
    this.#activityTimeout = options.activityTimeout;
    this.#heardAt = options.clock.now();
    // Looked up for each socket, because a page may replace it.
    const WebSocket = options.WebSocket ?? globalThis.WebSocket ?? bundled.WebSocket;
    if (!WebSocket) throw new Error('No WebSocket available');
    this.#socket = new WebSocket(url);
    this.#socket.onmessage = ({ data }) => this.#receive(data);
    this.#socket.onclose = (event) =>
      this.#end(Number(event?.code) || ABNORMAL, event?.reason || this.#failure);
    // A close event follows. Without a listener, `ws` would throw and end the process.
    this.#socket.onerror = (event) => {
      const { message, error } = asObject(event) ?? {};
      const { message: text, code } = asObject(error) ?? {};
      this.#failure = String(message || text || code || '');
    };
    this.#cancelTimer = options.clock.after(options.connectTimeout, () => this.#abandon());
  }

  /** Sends a frame. @returns whether it was passed to the network, which does not mean that it arrived */
  send(frame: string): boolean {
    if (!this.#established || this.#ended) return false;
    this.#socket.send(frame);
    return true;
  }

  /** Pings at once, because the connection may be dead; ends a handshake that is overdue. */
  check(): void {
    if (this.#established) this.#ping(DOUBT);
    else if (this.#options.clock.now() - this.#heardAt > DOUBT) this.#abandon();
  }

  /** Closes the socket without emitting `closed`. */
  close(): void {
    if (this.#ended) return;
    this.#stop();
    this.#socket.close(1000);
  }

  #receive(frame: unknown): void {
    if (this.#ended) return;
    const message = parse(frame);
    this.#heardAt = this.#options.clock.now();
    this.#deadline = undefined;
    // The error that follows says why a handshake is refused.
    if (!this.#established && message?.event === 'countersign:terminated') return;
    if (!this.#established) return this.#greet(message);
    if (message?.event === 'pusher:ping') this.send(encode('pusher:pong', {}));
    this.#events.message(message);
  }

  /** Handles the first frame: `pusher:connection_established`, or an error with the code of the close that follows. */
  #greet(message: Message | undefined): void {
    const data = asObject(message?.data);
    if (message?.event === 'pusher:connection_established' && typeof data?.['socket_id'] === 'string') {
      const wanted = Number(data['activity_timeout']) * 1000;
      if (wanted > 0) this.#activityTimeout = Math.min(this.#activityTimeout, wanted);
      this.#established = true;
      this.#cancelTimer();
      this.#watch();
      return this.#events.opened(data['socket_id'], 'countersign' in data);
    }
    const code = Number(data?.['code']);
    if (message?.event === 'pusher:error' && code >= 4000) this.#end(code, String(data?.['message'] ?? ''));
    else this.#end(ABNORMAL, 'Not a protocol frame');
    this.#socket.close(1000);
  }

  #watch(): void {
    const { clock } = this.#options;
    const next = this.#deadline ?? this.#heardAt + this.#activityTimeout;
    const wait = Math.max(0, Math.min(TICK, next - clock.now()));
    this.#lookAt = clock.wall() + wait;
    this.#cancelTimer = clock.after(wait, () => this.#look());
  }

  #look(): void {
    const { clock } = this.#options;
    const now = clock.now();
    if (now >= (this.#deadline ?? Infinity)) return this.#abandon();
    // The machine or the page slept, so the connection may be dead.
    if (clock.wall() - this.#lookAt > DRIFT) this.#ping(DOUBT);
    else if (!this.#deadline && now - this.#heardAt >= this.#activityTimeout)
      this.#ping(this.#options.pongTimeout);
    this.#watch();
  }

  #ping(timeout: number): void {
    this.#deadline = Math.min(this.#deadline ?? Infinity, this.#options.clock.now() + timeout);
    this.send(encode('pusher:ping', {}));
  }

  /** Ends the connection to a peer that does not respond, without waiting for its close frame. */
  #abandon(): void {
    this.#end(this.#established ? NO_ANSWER : ABNORMAL, 'Timed out');
    if (this.#socket.terminate) this.#socket.terminate();
    else this.#socket.close();
  }

  #end(code: number, reason: string): void {
    if (this.#ended) return;
    this.#stop();
    this.#events.closed(code, reason);
  }

  #stop(): void {
    this.#ended = true;
    this.#cancelTimer();
  }
}
