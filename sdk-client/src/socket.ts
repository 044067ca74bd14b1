import type { Clock } from './clock.ts';
import { bundled, type WebSocketConstructor, type WebSocketLike } from './platform.ts';
import { asObject, encode, type Message, parse } from './protocol.ts';

/** How often the watch looks at the clock at least, in ms. Short, because only a late look betrays that the machine slept. */
const TICK = 1_000;
/** A look this much later than it was due means sleep (or a page whose timers are held back), in ms. */
const DRIFT = 3_000;
/** How long a link may take to answer when there is reason to doubt it, in ms. */
const DOUBT = 2_000;

/** Close codes of our own making, so that the connection reacts to every end in one way. */
const NO_ANSWER = 4201;
const ABNORMAL = 1006;

/** What one socket tells its connection. After `closed`, nothing. */
export interface SocketEvents {
  opened(socketId: string): void;
  /** @param message `undefined` for a frame that is not of the protocol */
  message(message: Message | undefined): void;
  closed(code: number, reason: string): void;
}

export interface SocketOptions {
  readonly clock: Clock;
  readonly WebSocket: WebSocketConstructor | undefined;
  /** Most ms from dialling until the broker's greeting. */
  readonly connectTimeout: number;
  /** Silence after which the broker is pinged, in ms; the broker may ask for less. */
  readonly activityTimeout: number;
  /** Wait for any sign of life after a ping, in ms. */
  readonly pongTimeout: number;
}

/** One WebSocket from dialling to its end: greeting, pings, and one way out. */
export class Socket {
  readonly #socket: WebSocketLike;
  readonly #options: SocketOptions;
  readonly #events: SocketEvents;
  #established = false;
  #ended = false;
  /** What the platform says of a failure; browsers say nothing. */
  #failure = '';
  #activityTimeout: number;
  /** When the last frame came; before the first one, when it was dialled. */
  #heardAt: number;
  /** When the next look is due, by the wall clock. */
  #lookAt = 0;
  /** When an unanswered ping proves the link dead. */
  #deadline: number | undefined;
  #cancelTimer: () => void;

  /** @throws without a WebSocket, and what the platform throws for a URL that it does not dial */
  constructor(url: string, options: SocketOptions, events: SocketEvents) {
    this.#options = options;
    this.#events = events;
    this.#activityTimeout = options.activityTimeout;
    this.#heardAt = options.clock.now();
    // Looked up at each dial, for what a page has may be replaced.
    const WebSocket = options.WebSocket ?? globalThis.WebSocket ?? bundled.WebSocket;
    if (!WebSocket) throw new Error('No WebSocket available');
    this.#socket = new WebSocket(url);
    this.#socket.onmessage = ({ data }) => this.#receive(data);
    this.#socket.onclose = (event) =>
      this.#end(Number(event?.code) || ABNORMAL, event?.reason || this.#failure);
    // A close follows. Without a listener, Node would stop the process.
    this.#socket.onerror = (event) => {
      const { message, error } = asObject(event) ?? {};
      const { message: text, code } = asObject(error) ?? {};
      this.#failure = String(message || text || code || '');
    };
    this.#cancelTimer = options.clock.after(options.connectTimeout, () => this.#abandon());
  }

  /** Whether the frame was handed to the network; that does not mean that it arrived. */
  send(frame: string): boolean {
    if (!this.#established || this.#ended) return false;
    this.#socket.send(frame);
    return true;
  }

  /** Asks for a sign of life at once, because there is reason to doubt the link. A greeting that is overdue ends it. */
  check(): void {
    if (this.#established) this.#ping(DOUBT);
    else if (this.#options.clock.now() - this.#heardAt > DOUBT) this.#abandon();
  }

  /** Ends it without a word to its connection. */
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
    if (!this.#established) return this.#greet(message);
    if (message?.event === 'pusher:ping') this.send(encode('pusher:pong', {}));
    this.#events.message(message);
  }

  /** The first frame is the greeting, or an error that says with which code the close will come. */
  #greet(message: Message | undefined): void {
    const data = asObject(message?.data);
    if (message?.event === 'pusher:connection_established' && typeof data?.['socket_id'] === 'string') {
      const wanted = Number(data['activity_timeout']) * 1000;
      if (wanted > 0) this.#activityTimeout = Math.min(this.#activityTimeout, wanted);
      this.#established = true;
      this.#cancelTimer();
      this.#watch();
      return this.#events.opened(data['socket_id']);
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
    // The machine slept, or the page, and the link may have ended meanwhile.
    if (clock.wall() - this.#lookAt > DRIFT) this.#ping(DOUBT);
    else if (!this.#deadline && now - this.#heardAt >= this.#activityTimeout)
      this.#ping(this.#options.pongTimeout);
    this.#watch();
  }

  #ping(patience: number): void {
    this.#deadline = Math.min(this.#deadline ?? Infinity, this.#options.clock.now() + patience);
    this.send(encode('pusher:ping', {}));
  }

  /** Gives up on a peer that does not answer, and would not answer a close frame either. */
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
