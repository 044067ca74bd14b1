import { randomInt } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { WebSocket } from 'ws';
import type { Adapter } from '../adapter/adapter.ts';
import type { App } from '../apps/app.ts';
import type { Config } from '../config.ts';
import { codes, Disconnect, Refusal } from '../errors.ts';
import type { Hub, Subscriber } from '../hub/hub.ts';
import { type AppMetrics, increment } from '../hub/metrics.ts';
import { type Frame, frames } from '../protocol/frames.ts';
import { parseMessage } from '../protocol/messages.ts';
import { TokenBucket } from './bucket.ts';
import type { Handshake } from './handshake.ts';
import type { Batch, Outbox, Sink } from './outbox.ts';
import { Session } from './session.ts';

/** What all connections of a broker share. */
export interface ConnectionParts {
  readonly config: Config;
  readonly hub: Hub;
  readonly adapter: Adapter;
  readonly outbox: Outbox;
  readonly log: Logger;
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
  /** Names a new connection. */
  readonly newSocketId: () => string;
  /** Is told when a connection has ended. */
  readonly onEnd: (connection: Connection) => void;
}

/** A WebSocket that knows its connection, so that all sockets can share the same few listeners. */
export class ClientSocket extends WebSocket {
  connection: Connection | undefined;
}

/** Milliseconds that a slow reader has for the close frame. */
const LAST_WORD_MS = 1000;
const NO_STATUS = 1005;
/** How our own client begins to name itself. */
const OWN_CLIENT = 'countersign-';

/** A socket id that nobody can guess: it is all that binds a signature to one connection. */
export function randomSocketId(): string {
  return `${randomInt(1, 2 ** 47)}.${randomInt(1, 2 ** 47)}`;
}

/** One client: its socket, what waits for it, its signs of life, and the one way out. */
export class Connection implements Subscriber, Sink {
  readonly socketId: string;
  readonly since: number;
  readonly client: string;
  readonly app: App;
  /** The key that it connected with. */
  readonly key: string;
  readonly metrics: AppMetrics;
  pending: Batch | undefined;
  readonly #parts: ConnectionParts;
  readonly #webSocket: ClientSocket;
  readonly #socket: Duplex;
  readonly #session: Session;
  readonly #frameBucket: TokenBucket;
  #heardAt: number;
  /** When it was asked for a sign of life that has not come yet. */
  #pingedAt: number | undefined;
  /** Until when it must have proven who it is, in Unix milliseconds; `undefined`: it need not, or has. */
  #authenticateBy: number | undefined;
  /** Why its last proof was refused. */
  fault: string | undefined;
  #ended = false;

  constructor(
    parts: ConnectionParts,
    webSocket: ClientSocket,
    socket: Duplex,
    handshake: Handshake,
    metrics: AppMetrics,
    readonly address: string,
  ) {
    this.#parts = parts;
    this.socketId = parts.newSocketId();
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.app = handshake.app;
    this.key = handshake.key;
    this.client = handshake.client;
    this.metrics = metrics;
    this.since = this.#heardAt = parts.now();
    if (this.app.requireUserAuthentication) {
      this.#authenticateBy = this.since + parts.config.authenticationTimeoutSeconds * 1000;
    }
    this.#frameBucket = new TokenBucket(this.#frameBurst, this.since);
    this.#session = new Session(this, parts);

    webSocket.connection = this;
    webSocket.on('message', onMessage);
    webSocket.on('ping', onControl);
    webSocket.on('pong', onControl);
    webSocket.on('close', onClose);
    webSocket.on('error', onError);

    metrics.connections += 1;
    metrics.connects += 1;
    this.send(frames.established(this.socketId, this.#activityTimeoutSeconds));
    this.#parts.log.debug({ ...this.ids, client: this.client, address }, 'connected');
    this.app.witness?.saw({ kind: 'connected', who: this });
  }

  send(frame: Frame): void {
    if (!this.#ended) this.#parts.outbox.push(this, frame);
  }

  write(bytes: Buffer, frames: number): void {
    this.#socket.write(bytes);
    this.metrics.messagesOut += frames;
    this.metrics.bytesOut += bytes.length;
    if (this.#socket.writableLength > this.#parts.config.maxBufferedBytes && !this.#ended)
      this.#dropSlowReader();
  }

  evict(channel: string, reason: string): void {
    this.#session.evict(channel, reason);
  }

  /** Closes it because the application said so; our own client is told why in a frame, others by the close reason. */
  expel(reason: string): void {
    if (this.client.startsWith(OWN_CLIENT)) this.send(frames.terminated(reason));
    this.close(new Disconnect(codes.unauthorized, reason));
  }

  /** It has signed in, or was let into a channel that needs a signature. */
  authenticated(): void {
    if (this.#authenticateBy !== undefined && this.#parts.now() >= this.#authenticateBy) {
      return this.#closeUnauthenticated('the proof came too late');
    }
    this.#authenticateBy = undefined;
  }

  get userId(): string | undefined {
    return this.#session.userId;
  }

  /** Bytes that wait until the client reads. */
  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  /** Sends what waits, then a close frame, and ends. */
  close(why: Disconnect): void {
    if (this.#ended) return;
    this.#parts.outbox.flushOne(this);
    // Flushing may have shown that the client reads too slowly, which ends the connection as well.
    if (this.#ended) return;
    this.#webSocket.close(why.code, closeReason(why.reason));
    this.#end(why.code, why.reason);
  }

  /** Ends without a word. */
  terminate(): void {
    this.#webSocket.terminate();
  }

  /** Pings a client that has been silent, and closes one that does not answer (docs/protocol.md, "Ping and pong"). */
  checkActivity(now: number): void {
    this.#checkAuthentication(now);
    if (this.#pingedAt === undefined) {
      if (now - this.#heardAt < this.#activityTimeoutSeconds * 1000) return;
      this.#pingedAt = now;
      this.#webSocket.ping();
      this.send(frames.ping);
    } else if (now - this.#pingedAt >= this.#parts.config.pongTimeoutSeconds * 1000) {
      this.close(new Disconnect(codes.pongNotReceived, 'Pong reply not received'));
    }
  }

  receive(data: Buffer, isBinary: boolean): void {
    if (this.#ended) return;
    this.metrics.messagesIn += 1;
    this.metrics.bytesIn += data.length;
    try {
      this.#takeFrame();
      if (isBinary) throw new Disconnect(1003, 'Binary frames are not part of the protocol');
      this.#session.handle(parseMessage(data.toString()));
    } catch (error) {
      this.answer(error);
    }
  }

  /** A Ping, which is answered already, or a Pong of the WebSocket. */
  receiveControl(): void {
    if (this.#ended) return;
    try {
      this.#takeFrame();
    } catch (error) {
      this.answer(error);
    }
  }

  ended(code: number, reason: string): void {
    this.#end(code, reason);
  }

  /** What each log line names. */
  get ids(): object {
    return { appId: this.app.id, key: this.key, socketId: this.socketId };
  }

  /** Closes a connection that has not proven in time who it is. */
  #checkAuthentication(now: number): void {
    if (this.#authenticateBy === undefined || now < this.#authenticateBy) return;
    const seconds = this.#parts.config.authenticationTimeoutSeconds;
    this.#closeUnauthenticated(
      this.fault
        ? `the last proof was refused: ${this.fault}`
        : `no sign-in and no authorized channel within ${seconds} seconds`,
    );
  }

  #closeUnauthenticated(why: string): void {
    this.close(new Disconnect(codes.unauthorized, `Connection not authorized within timeout: ${why}`));
  }

  /** Each frame is a sign of life, which what the broker sends is not, and counts towards the rate. */
  #takeFrame(): void {
    this.#heardAt = this.#parts.now();
    this.#pingedAt = undefined;
    const { framesPerSecond } = this.app.limits;
    if (this.#frameBucket.take(this.#frameBurst, framesPerSecond, this.#heardAt)) return;
    increment(this.metrics.refusals, 'frame_rate');
    throw new Disconnect(codes.overCapacity, `Too many messages: at most ${framesPerSecond} a second`);
  }

  /** Tells the client what went wrong. */
  answer(error: unknown): void {
    if (error instanceof Refusal) {
      increment(this.metrics.refusals, error.code === null ? 'message' : String(error.code));
      this.#parts.log.debug({ ...this.ids, code: error.code, reason: error.message }, 'message refused');
      // A refused sign-in has been told with its evidence.
      if (error.code !== codes.unauthorized)
        this.app.witness?.saw({ kind: 'messageRefused', who: this, reason: error.message });
      this.send(frames.error(error.code, error.message));
    } else if (error instanceof Disconnect) {
      this.close(error);
    } else {
      this.#parts.log.error({ ...this.ids, err: error }, 'message failed');
      this.send(frames.error(null, 'Internal error'));
    }
  }

  #dropSlowReader(): void {
    this.#parts.outbox.drop(this);
    this.metrics.slowReaders += 1;
    const why = 'The client reads too slowly';
    this.#webSocket.close(codes.overCapacity, why);
    setTimeout(destroy, LAST_WORD_MS, this.#socket).unref();
    this.#end(codes.overCapacity, why);
  }

  #end(code: number, reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#parts.outbox.drop(this);
    this.metrics.connections -= 1;
    increment(this.metrics.closes, KNOWN_CLOSES.has(code) ? code : NO_STATUS);
    this.#session.end();
    this.#parts.log.debug(
      { ...this.ids, code, reason, client: this.client, address: this.address },
      'disconnected',
    );
    this.app.witness?.saw({ kind: 'disconnected', who: this, code, reason });
    this.#parts.onEnd(this);
  }

  get #frameBurst(): number {
    return this.app.limits.framesPerSecond + this.app.limits.subscriptionsPerConnection;
  }

  get #activityTimeoutSeconds(): number {
    return this.app.activityTimeoutSeconds ?? this.#parts.config.activityTimeoutSeconds;
  }
}

/** Close codes that are counted by themselves: clients may send any, and a label must not grow with what they send. */
const KNOWN_CLOSES: ReadonlySet<number> = new Set([
  ...Object.values(codes),
  1000,
  1001,
  1002,
  1003,
  1005,
  1006,
  1007,
  1009,
]);

/** The longest beginning of a reason that fits a close frame: 123 bytes, no character cut. */
export function closeReason(reason: string): string {
  if (Buffer.byteLength(reason) <= 123) return reason;
  const bytes = Buffer.from(reason).subarray(0, 123);
  return new TextDecoder().decode(bytes, { stream: true });
}

function destroy(socket: Duplex): void {
  socket.destroy();
}

function connectionOf(socket: WebSocket): Connection | undefined {
  return (socket as ClientSocket).connection;
}

function onMessage(this: WebSocket, data: Buffer, isBinary: boolean): void {
  connectionOf(this)?.receive(data, isBinary);
}

function onControl(this: WebSocket): void {
  connectionOf(this)?.receiveControl();
}

function onClose(this: WebSocket, code: number, reason: Buffer): void {
  connectionOf(this)?.ended(code, reason.toString());
}

/** The socket closes after it, and `onClose` tells with which code. */
function onError(): void {}
