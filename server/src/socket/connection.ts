import type { Duplex } from 'node:stream';
import type { Grant } from '../access/grant.ts';
import type { RenewalProof } from '../access/renewer.ts';
import { fractionOf } from '../access/term.ts';
import type { App } from '../apps/app.ts';
import type { Config } from '../config/config.ts';
import type { ErrorCode } from '../error-codes.ts';
import { codes, Disconnect, Refusal, type SubscriptionRefusal, Unavailable } from '../errors.ts';
import type { ExpelCode } from '../hub/users.ts';
import type { AppMetrics } from '../metrics.ts';
import type { Channel } from '../protocol/channel.ts';
import { type Frame, frames } from '../protocol/frames.ts';
import { parseMessage } from '../protocol/messages.ts';
import type { Tap } from '../recorder/tap.ts';
import type { BrokenMessage, ClientSocket, SocketOwner } from './client-socket.ts';
import { closeErrorFrame, terminatedFrame } from './close-frame.ts';
import type { Handshake } from './handshakes/handshake.ts';
import type { OutboundBuffers } from './outbound-buffers.ts';
import { FrameRate, RefusedProofRate } from './rate-limits.ts';
import { Session } from './session.ts';
import type { SessionContext, SessionParts } from './session-context.ts';
import { AuthenticationDeadline } from './sign-in/authentication-deadline.ts';
import { SignsOfLife } from './signs-of-life.ts';
import type { FrameBatch, WriteQueue, Writer } from './write-queue.ts';
import type { WriteQueues } from './write-queues.ts';

/** The connection of one client: its socket, its pending frames, its signs of life, and the one place where it ends. */
export class Connection implements SessionContext, Writer, SocketOwner {
  readonly socketId: string;
  readonly since: number;
  readonly client: string;
  readonly isCapable: boolean;
  readonly app: App;
  /** The key that it connected with. */
  readonly key: string;
  readonly metrics: AppMetrics;
  readonly openedAfter: number;
  pending: FrameBatch | undefined;
  tap: Tap | undefined;
  readonly #parts: ConnectionParts;
  readonly #webSocket: ClientSocket;
  readonly #socket: Duplex;
  readonly #session: Session;
  readonly #writeQueue: WriteQueue;
  readonly #frameRate: FrameRate;
  /** Monotonic milliseconds, whole, which take the least memory. */
  readonly #openedAt: number;
  readonly #life: SignsOfLife;
  /** `undefined`: the connection need not prove a right, or has. */
  #deadline: AuthenticationDeadline | undefined;
  #refusedProofs: RefusedProofRate | undefined;
  /** Since when the rest of a message is awaited, as far as was observed. */
  #receivingSince: number | undefined;
  /** Bytes in the send buffer at the last count. */
  #buffered = 0;
  #isSilent = false;
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
    this.#writeQueue = parts.writeQueues.of(handshake.app);
    this.key = handshake.key;
    this.client = handshake.client;
    this.isCapable = handshake.isCapable;
    this.metrics = metrics;
    this.since = parts.now();
    this.openedAfter = parts.access.revocations.count;
    const now = parts.monotonic();
    this.#life = new SignsOfLife(now);
    this.#openedAt = Math.floor(now);
    if (this.app.requireUserAuthentication) {
      this.#deadline = new AuthenticationDeadline(now, parts.config.authenticationTimeoutSeconds);
    }
    this.#frameRate = new FrameRate(this.app.limits, now);
    this.#session = new Session(this, parts);

    webSocket.belongTo(this);
    this.send(frames.established(this.socketId, this.#activityTimeoutSeconds, this.isCapable));
    metrics.usage.openedAt += this.#openedAt;
    parts.report.connected(this);
  }

  send(frame: Frame): void {
    if (this.#ended || this.#isSilent) return;
    this.tap?.sent(frame);
    this.#writeQueue.push(this, frame);
  }

  write(bytes: Buffer, frames: number, payload: number): void {
    this.#socket.write(bytes);
    this.metrics.messagesOut += frames;
    this.metrics.bytesOut += bytes.length;
    this.metrics.usage.payloadOut += payload;
    this.countBuffered();
    if (this.#buffered > this.#parts.config.maxBufferedBytes && !this.#ended) this.dropSlowReader();
  }

  async drained(): Promise<boolean> {
    this.#writeQueue.flushOne(this);
    if (!this.#ended && this.#socket.writableNeedDrain) {
      await new Promise<void>((resolve) => {
        const done = () => {
          this.#socket.off('drain', done).off('close', done);
          resolve();
        };
        this.#socket.on('drain', done).on('close', done);
      });
    }
    return !this.#ended;
  }

  lose(channel: string, grant: Grant, why: SubscriptionRefusal | undefined, left: Promise<unknown>): void {
    this.#session.lose(channel, grant, why, left);
  }

  renew(channel: string, proof: RenewalProof): Promise<void> {
    return this.#session.renew(channel, proof);
  }

  get isSilent(): boolean {
    return this.#isSilent;
  }

  silence(): void {
    this.#isSilent = true;
  }

  expel(reason: string, code: ExpelCode = 'terminated'): void {
    if (this.#ended) return;
    this.#parts.report.expelled(this, reason, code);
    this.close(new Disconnect(codes.unauthorized, code, reason));
  }

  reconnect(code: ErrorCode, reason: string): void {
    this.close(new Disconnect(codes.reconnect, code, reason));
  }

  authenticated(): void {
    const late = this.#deadline?.checkProof(this.#parts.monotonic());
    if (late) return this.close(late);
    this.#deadline = undefined;
  }

  /** Closes the connection after too many: a few refused proofs are a mistake, many are an attack. */
  proofRefused(reason: string): void {
    if (this.#ended) return;
    if (this.#deadline) this.#deadline.fault = reason;
    const { limits } = this.app;
    const now = this.#parts.monotonic();
    this.#refusedProofs ??= new RefusedProofRate(limits, now);
    const tooMany = this.#refusedProofs.count(limits, now);
    if (!tooMany) return;
    this.#parts.report.limitExceeded(this, 'proof_rate');
    this.close(tooMany);
  }

  /** Adds the bytes that the send buffer gained or lost to the total of the process. */
  countBuffered(): void {
    const { writableLength } = this.#socket;
    if (writableLength === this.#buffered || this.#ended) return;
    this.#parts.buffers.add(writableLength - this.#buffered);
    this.#buffered = writableLength;
  }

  get channels(): readonly Channel[] {
    return this.#session.channels;
  }

  get userId(): string | undefined {
    return this.#session.userId;
  }

  get arrivedUntil(): number {
    return this.#life.arrivedUntil(this.#buffered > 0 || this.#socket.writableLength > 0);
  }

  /** Why the sign-in is not valid any more; `undefined` if it is, or there is none. */
  get whySignInInvalid(): Disconnect | undefined {
    return this.#session.whySignInInvalid;
  }

  /** Bytes that wait until the client reads. */
  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  /** Sends the pending frames, the reason and a close frame in one write. A capable client gets the reason with its code. */
  close(why: Disconnect): void {
    if (this.#ended) return;
    this.#isSilent = false;
    this.#socket.cork();
    if (this.isCapable) this.send(terminatedFrame(why));
    const error = closeErrorFrame(why);
    if (error) this.send(error);
    this.#writeQueue.flushOne(this);
    // Flushing may have ended the connection already, because the client reads too slowly.
    if (!this.#ended) {
      this.#webSocket.dismiss(why, this.isCapable);
      this.ended(why.code, why.reason);
    }
    this.#socket.uncork();
  }

  /** Ends the connection without a close frame. */
  terminate(): void {
    this.#webSocket.terminate();
  }

  /** Pings a silent client, and closes the connection if it does not answer (docs/protocol.md, "Ping and pong"). */
  checkActivity(now: number): void {
    this.countBuffered();
    const unproven = this.#deadline?.check(now);
    if (unproven) return this.close(unproven);
    if (this.#isTooOld(now))
      return this.reconnect('connection_age', 'The connection is old: please reconnect');
    if (this.#isTooLong(now))
      return this.answer(new Disconnect(1008, 'message_timeout', 'The message takes too long'));
    const { pongTimeoutSeconds } = this.#parts.config;
    const next = this.#life.check(now, this.#activityTimeoutSeconds * 1000, pongTimeoutSeconds * 1000);
    if (next === 'ping') {
      this.#webSocket.ping();
      this.send(frames.ping);
    } else if (next === 'give up') {
      this.close(new Disconnect(codes.pongNotReceived, 'pong_not_received', 'Pong reply not received'));
    }
  }

  /** Whether it has reached the age that the app allows, give or take a tenth, so that clients come back one by one. */
  #isTooOld(now: number): boolean {
    const { maxConnectionSeconds } = this.app;
    if (maxConnectionSeconds === null) return false;
    const share = (now - this.#openedAt) / (maxConnectionSeconds * 1000);
    return share >= 0.9 && share >= 0.9 + 0.2 * fractionOf(this.socketId, this.#openedAt);
  }

  /** Whether a message has been arriving for too long; control frames do not count. */
  #isTooLong(now: number): boolean {
    this.#receivingSince = this.#webSocket.isReceiving ? (this.#receivingSince ?? now) : undefined;
    const { requestTimeoutSeconds } = this.#parts.config;
    const isTooLong = now - (this.#receivingSince ?? now) >= requestTimeoutSeconds * 1000;
    if (isTooLong) this.#parts.report.limitExceeded(this, 'message_time');
    return isTooLong;
  }

  receive(data: Buffer, isBinary: boolean): void {
    if (this.#ended || this.#isSilent) return;
    this.metrics.messagesIn += 1;
    this.#receivingSince = undefined;
    this.metrics.bytesIn += data.length;
    this.tap?.received(data);
    try {
      const tooMany = this.#countFrame();
      if (tooMany) throw tooMany;
      if (isBinary) throw new Disconnect(1003, 'binary_frame', 'Binary frames are not part of the protocol');
      const message = parseMessage(data.toString());
      if (message.kind === 'pong') this.#life.ponged();
      this.#session.handle(message);
    } catch (error) {
      this.answer(error);
    }
  }

  receiveControl(): void {
    if (this.#ended) return;
    this.tap?.receivedControl();
    const tooMany = this.#countFrame();
    if (tooMany) this.answer(tooMany);
  }

  receiveBroken({ bound, why }: BrokenMessage): void {
    if (this.#ended) return;
    if (bound) this.#parts.report.messageTooLarge(this, bound);
    this.close(why);
  }

  /** Notes a frame from the client as a sign of life. Returns why the connection must close if it was one too many. */
  #countFrame(): Disconnect | undefined {
    const now = this.#parts.monotonic();
    this.#life.heard(now);
    const tooMany = this.#frameRate.count(this.app.limits, now);
    if (tooMany) this.#parts.report.limitExceeded(this, 'frame_rate');
    return tooMany;
  }

  answer(error: unknown): void {
    const { report } = this.#parts;
    if (error instanceof Refusal) {
      report.messageRefused(this, error);
      this.send(frames.error(error.code, error.errorCode, error.message));
    } else if (error instanceof Disconnect) {
      report.connectionClosed(this, error);
      this.close(error);
    } else {
      report.messageFailed(this, error);
      this.send(
        frames.error(null, error instanceof Unavailable ? 'unavailable' : 'internal_error', 'Internal error'),
      );
    }
  }

  /** Ends the connection of a client that reads too slowly, and discards the pending frames. */
  dropSlowReader(): void {
    if (this.#ended) return;
    this.#writeQueue.drop(this);
    this.#parts.report.slowReader(this);
    const why = new Disconnect(codes.overCapacity, 'slow_reader', 'The client reads too slowly');
    if (this.isCapable) this.#socket.write(terminatedFrame(why));
    this.#socket.write(frames.error(why.code, why.errorCode, why.reason));
    this.#webSocket.cutOff(why, this.isCapable, this.#socket);
    this.ended(why.code, why.reason);
  }

  /** Every way out of the connection ends here. */
  ended(code: number, reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#parts.buffers.add(-this.#buffered);
    this.#writeQueue.drop(this);
    this.#session.end();
    this.metrics.usage.openedAt -= this.#openedAt;
    this.metrics.usage.endedMs += Math.floor(this.#parts.monotonic()) - this.#openedAt;
    this.#parts.report.disconnected(this, code, reason);
    this.#parts.onEnd(this, this.#socket);
  }

  get #activityTimeoutSeconds(): number {
    return this.app.activityTimeoutSeconds ?? this.#parts.config.activityTimeoutSeconds;
  }
}

/** What all connections of a broker share. */
export interface ConnectionParts extends SessionParts {
  readonly config: Config;
  readonly writeQueues: WriteQueues;
  readonly buffers: OutboundBuffers;
  /** Creates the id of a new connection. */
  readonly newSocketId: () => string;
  /** Called when a connection has ended. */
  readonly onEnd: (connection: Connection, socket: Duplex) => void;
}
