import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import type { Adapter } from '../adapter/adapter.ts';
import type { App } from '../apps/app.ts';
import type { Config } from '../config/config.ts';
import { codes, Disconnect, Refusal, type SubscriptionRefusal, severityOf } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import type { Subscriber } from '../hub/subscriber.ts';
import { type AppMetrics, increment } from '../metrics.ts';
import { type Frame, frames } from '../protocol/frames.ts';
import { parseMessage } from '../protocol/messages.ts';
import { AuthenticationDeadline } from './authentication-deadline.ts';
import type { ClientSocket, SocketOwner } from './client-socket.ts';
import { countedCode, farewell } from './close-frame.ts';
import { FrameRate } from './frame-rate.ts';
import type { Handshake } from './handshake.ts';
import type { OutboundBuffers } from './outbound-buffers.ts';
import { RefusedProofs } from './refused-proofs.ts';
import { Session } from './session.ts';
import type { FrameBatch, WriteQueue, Writer } from './write-queue.ts';

/** What all connections of a broker share. */
export interface ConnectionParts {
  readonly config: Config;
  readonly hub: Hub;
  readonly adapter: Adapter;
  readonly outbox: WriteQueue;
  readonly buffers: OutboundBuffers;
  readonly log: Logger;
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds, by a clock that nobody sets: for all that is waited for or limited. */
  readonly monotonic: () => number;
  /** Names a new connection. */
  readonly newSocketId: () => string;
  /** Is told when a connection has ended. */
  readonly onEnd: (connection: Connection, socket: Duplex) => void;
}

/** Bounds of one message, by how the WebSocket names what goes beyond them, as they are counted. */
const BOUNDS: ReadonlyMap<string, string> = new Map([
  ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 'message_bytes'],
  ['WS_ERR_TOO_MANY_BUFFERED_PARTS', 'message_fragments'],
]);
/** How our own client begins to name itself. */
const OWN_CLIENT = 'countersign-';

/** One client: its socket, what waits for it, its signs of life, and the one way out. */
export class Connection implements Subscriber, Writer, SocketOwner {
  readonly socketId: string;
  readonly since: number;
  readonly client: string;
  readonly app: App;
  /** The key that it connected with. */
  readonly key: string;
  readonly metrics: AppMetrics;
  pending: FrameBatch | undefined;
  readonly #parts: ConnectionParts;
  readonly #webSocket: ClientSocket;
  readonly #socket: Duplex;
  readonly #session: Session;
  readonly #frameRate: FrameRate;
  #heardAt: number;
  /** When it was asked for a sign of life that has not come yet. */
  #pingedAt: number | undefined;
  /** `undefined`: it need not prove who it is, or has. */
  #deadline: AuthenticationDeadline | undefined;
  #refusedProofs: RefusedProofs | undefined;
  /** Since when a part of a message waits for the rest, as far as was seen. */
  #receivingSince: number | undefined;
  /** Bytes that waited when it was last looked at. */
  #buffered = 0;
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
    this.since = parts.now();
    this.#heardAt = parts.monotonic();
    if (this.app.requireUserAuthentication) {
      this.#deadline = new AuthenticationDeadline(this.#heardAt, parts.config.authenticationTimeoutSeconds);
    }
    this.#frameRate = new FrameRate(this.app.limits, this.#heardAt);
    this.#session = new Session(this, parts);

    webSocket.belongTo(this);
    metrics.connections += 1;
    metrics.connects += 1;
    this.send(frames.established(this.socketId, this.#activityTimeoutSeconds));
    this.#parts.log.debug({ ...this.ids, client: this.client, address }, 'connected');
    this.app.observer?.observe({ kind: 'connected', who: this });
  }

  send(frame: Frame): void {
    if (!this.#ended) this.#parts.outbox.push(this, frame);
  }

  write(bytes: Buffer, frames: number): void {
    this.#socket.write(bytes);
    this.metrics.messagesOut += frames;
    this.metrics.bytesOut += bytes.length;
    this.countBuffered();
    if (this.#buffered > this.#parts.config.maxBufferedBytes && !this.#ended) this.dropSlowReader();
  }

  lose(channel: string, why: SubscriptionRefusal, left: Promise<unknown>): void {
    this.#session.lose(channel, why, left);
  }

  /** Closes it because the application said so; our own client is told why in a frame, others by the close reason. */
  expel(reason: string): void {
    if (this.client.startsWith(OWN_CLIENT)) this.send(frames.terminated(reason));
    this.close(new Disconnect(codes.unauthorized, reason));
  }

  renew(reason: string): void {
    this.close(new Disconnect(codes.reconnect, reason));
  }

  /** It has signed in, or was let into a channel that needs a signature. */
  authenticated(): void {
    const late = this.#deadline?.checkProof(this.#parts.monotonic());
    if (late) return this.close(late);
    this.#deadline = undefined;
  }

  /** A proof that it offered was refused: a few are an accident, many are somebody who tries. */
  proofRefused(reason: string): void {
    if (this.#ended) return;
    if (this.#deadline) this.#deadline.fault = reason;
    const { limits } = this.app;
    const now = this.#parts.monotonic();
    this.#refusedProofs ??= new RefusedProofs(limits, now);
    const tooMany = this.#refusedProofs.count(limits, now);
    if (!tooMany) return;
    increment(this.metrics.refusals, 'proof_rate');
    this.close(tooMany);
  }

  /** Looks how much waits now. */
  countBuffered(): void {
    const { writableLength } = this.#socket;
    if (writableLength === this.#buffered || this.#ended) return;
    this.#parts.buffers.add(writableLength - this.#buffered);
    this.#buffered = writableLength;
  }

  get userId(): string | undefined {
    return this.#session.userId;
  }

  /** Whether the key that signed who it is, if one did, is still one of the app. */
  get identityStands(): boolean {
    return this.#session.identityStands;
  }

  /** Bytes that wait until the client reads. */
  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  /** Sends what waits, why it ends, and a close frame, all in one write. */
  close(why: Disconnect): void {
    if (this.#ended) return;
    this.#socket.cork();
    const error = farewell(why);
    if (error) this.send(error);
    this.#parts.outbox.flushOne(this);
    // Flushing may have shown that the client reads too slowly, which ends the connection as well.
    if (!this.#ended) {
      this.#webSocket.dismiss(why);
      this.ended(why.code, why.reason);
    }
    this.#socket.uncork();
  }

  /** Ends without a word. */
  terminate(): void {
    this.#webSocket.terminate();
  }

  /** Pings a client that has been silent, and closes one that does not answer (docs/protocol.md, "Ping and pong"). */
  checkActivity(now: number): void {
    this.countBuffered();
    const unproven = this.#deadline?.check(now);
    if (unproven) return this.close(unproven);
    if (this.#isTooLong(now)) return this.answer(new Disconnect(1008, 'The message takes too long'));
    if (this.#pingedAt === undefined) {
      if (now - this.#heardAt < this.#activityTimeoutSeconds * 1000) return;
      this.#pingedAt = now;
      this.#webSocket.ping();
      this.send(frames.ping);
    } else if (now - this.#pingedAt >= this.#parts.config.pongTimeoutSeconds * 1000) {
      this.close(new Disconnect(codes.pongNotReceived, 'Pong reply not received'));
    }
  }

  /** Whether a message has been on its way for too long; frames of control do not count for it. */
  #isTooLong(now: number): boolean {
    this.#receivingSince = this.#webSocket.isReceiving ? (this.#receivingSince ?? now) : undefined;
    const { requestTimeoutSeconds } = this.#parts.config;
    const isTooLong = now - (this.#receivingSince ?? now) >= requestTimeoutSeconds * 1000;
    if (isTooLong) increment(this.metrics.refusals, 'message_time');
    return isTooLong;
  }

  receive(data: Buffer, isBinary: boolean): void {
    if (this.#ended) return;
    this.metrics.messagesIn += 1;
    this.#receivingSince = undefined;
    this.metrics.bytesIn += data.length;
    try {
      this.#takeFrame();
      if (isBinary) throw new Disconnect(1003, 'Binary frames are not part of the protocol');
      this.#session.handle(parseMessage(data.toString()));
    } catch (error) {
      this.answer(error);
    }
  }

  receiveControl(): void {
    if (this.#ended) return;
    try {
      this.#takeFrame();
    } catch (error) {
      this.answer(error);
    }
  }

  failed(error: Error): void {
    if (this.#ended || !('code' in error)) return;
    const bound = BOUNDS.get(String(error.code));
    if (bound === undefined) return;
    increment(this.metrics.refusals, bound);
    this.#parts.log.info({ ...this.ids, type: bound, address: this.address }, 'message too large');
  }

  /** What each log line names. */
  get ids(): object {
    return { appId: this.app.id, key: this.key, socketId: this.socketId };
  }

  /** Each frame is a sign of life, which what the broker sends is not, and counts towards the rate. */
  #takeFrame(): void {
    this.#heardAt = this.#parts.monotonic();
    this.#pingedAt = undefined;
    const tooMany = this.#frameRate.count(this.app.limits, this.#heardAt);
    if (!tooMany) return;
    increment(this.metrics.refusals, 'frame_rate');
    throw tooMany;
  }

  /** Tells the client what went wrong. */
  answer(error: unknown): void {
    if (error instanceof Refusal) {
      increment(this.metrics.refusals, error.code === null ? 'message' : String(error.code));
      this.#parts.log.debug({ ...this.ids, code: error.code, reason: error.message }, 'message refused');
      // A refused sign-in has been told with its evidence.
      if (error.code !== codes.unauthorized)
        this.app.observer?.observe({ kind: 'messageRefused', who: this, reason: error.message });
      this.send(frames.error(error.code, error.message));
    } else if (error instanceof Disconnect) {
      const { code, reason } = error;
      this.#parts.log.info({ ...this.ids, code, reason, address: this.address }, 'connection closed');
      this.close(error);
    } else {
      this.#parts.log[severityOf(error)]({ ...this.ids, err: error }, 'message failed');
      this.send(frames.error(null, 'Internal error'));
    }
  }

  /** Ends it with what waits for it. */
  dropSlowReader(): void {
    if (this.#ended) return;
    this.#parts.outbox.drop(this);
    this.metrics.slowReaders += 1;
    const why = new Disconnect(codes.overCapacity, 'The client reads too slowly');
    this.#socket.write(frames.error(why.code, why.reason));
    this.#webSocket.cutOff(why, this.#socket);
    this.ended(why.code, why.reason);
  }

  /** The one way out. */
  ended(code: number, reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#parts.buffers.add(-this.#buffered);
    this.#parts.outbox.drop(this);
    this.metrics.connections -= 1;
    increment(this.metrics.closes, countedCode(code));
    this.#session.end();
    this.#parts.log.debug(
      { ...this.ids, code, reason, client: this.client, address: this.address },
      'disconnected',
    );
    this.app.observer?.observe({ kind: 'disconnected', who: this, code, reason });
    this.#parts.onEnd(this, this.#socket);
  }

  get #activityTimeoutSeconds(): number {
    return this.app.activityTimeoutSeconds ?? this.#parts.config.activityTimeoutSeconds;
  }
}
