import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import type { Adapter } from '../adapter/adapter.ts';
import { checkChannels, type Published, publishEvents } from '../api/publishing/publish-events.ts';
import type { Authenticated } from '../api/requests/authenticate.ts';
import type { Callers } from '../api/requests/callers.ts';
import type { RequestQuota } from '../api/requests/request-quota.ts';
import { type EventRequest, readEvents } from '../api/requests/requests.ts';
import type { App } from '../apps/app.ts';
import type { FairTurns } from '../async/fair-turns.ts';
import type { Config } from '../config/config.ts';
import { ApiError, codes, Disconnect } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import { increment, type Metrics, reached } from '../metrics.ts';
import type { BrokenMessage, ClientSocket, SocketOwner } from '../socket/client-socket.ts';
import type { Tracing } from '../tracing/tracing.ts';
import type { Quotas } from '../usage/quotas.ts';
import { ChannelOrder } from './channel-order.ts';
import { explain, publishedAnswer, readFrame, refusalAnswer } from './frame.ts';
import { Unanswered } from './unanswered.ts';

/** Bytes of answers that may wait for the caller; past it nothing more is read. */
const MAX_UNREAD_BYTES = 1_048_576;

/** A WebSocket over which a caller of the HTTP API publishes: frames are answered in their order. */
export class PublishSocket implements SocketOwner {
  readonly #parts: PublishSocketParts;
  readonly #webSocket: ClientSocket;
  readonly #socket: Duplex;
  readonly #caller: Pick<Authenticated, 'app' | 'key'>;
  readonly #unanswered: Unanswered;
  readonly #order = new ChannelOrder();
  /** Monotonic milliseconds of the last sign of life. */
  #heardAt: number;
  /** When the last ping was sent; `undefined` if something was heard since. */
  #pingedAt: number | undefined;
  /** Since when the rest of a frame is awaited, as far as was observed. */
  #receivingSince: number | undefined;
  /** Since when nothing is read because answers are not. */
  #unreadSince: number | undefined;
  #isDraining = false;
  #ended = false;

  constructor(
    parts: PublishSocketParts,
    webSocket: ClientSocket,
    socket: Duplex,
    caller: Pick<Authenticated, 'app' | 'key'>,
  ) {
    this.#parts = parts;
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#caller = { app: caller.app, key: caller.key };
    this.#heardAt = parts.monotonic();
    const { publishSockets } = parts.metrics.app(caller.app.id);
    this.#unanswered = new Unanswered(publishSockets);
    socket.on('drain', this.#balance);
    webSocket.belongTo(this);
  }

  get appId(): string {
    return this.#caller.app.id;
  }

  receive(data: Buffer, isBinary: boolean): void {
    if (this.#ended) return;
    this.#heard();
    if (isBinary) {
      return this.close(new Disconnect(1003, 'binary_frame', 'Binary frames are not part of the protocol'));
    }
    const answered = this.#unanswered.add(data.length);
    this.#balance();
    void this.#serve(data).then((answer) => {
      answered(answer);
      this.#send();
    });
  }

  receiveControl(): void {
    if (this.#ended) return;
    this.#heard();
    this.#balance();
  }

  receiveBroken({ bound, why }: BrokenMessage): void {
    if (this.#ended) return;
    if (bound) increment(this.#parts.metrics.app(this.appId).refusals, bound);
    this.close(why);
  }

  /** Closes the socket if its caller may not publish any more. */
  closeIfInvalid(): void {
    try {
      this.#checkRight();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.close(whyInvalid(error));
    }
  }

  /** Reads nothing more, and closes with 4200 once all that was read is answered. */
  drain(): void {
    this.#isDraining = true;
    this.#balance();
    this.#endDrained();
  }

  /** Pings a silent caller, and ends a socket whose peer neither answers nor reads. */
  checkActivity(now: number): void {
    const { config, metrics, log } = this.#parts;
    if (now - (this.#unreadSince ?? now) >= config.answerTimeoutSeconds * 1000) {
      reached(metrics, log, 'answer_timeout', { appId: this.appId });
      const why = new Disconnect(codes.overCapacity, 'slow_reader', 'The answers are not read');
      this.#webSocket.cutOff(why, false, this.#socket);
      return this.ended(why.code, why.reason);
    }
    // While it is not read, nothing can be heard.
    if (this.#webSocket.isPaused) return this.#heard();
    this.#receivingSince = this.#webSocket.isReceiving ? (this.#receivingSince ?? now) : undefined;
    if (now - (this.#receivingSince ?? now) >= config.requestTimeoutSeconds * 1000) {
      increment(metrics.app(this.appId).refusals, 'message_time');
      return this.close(new Disconnect(1008, 'message_timeout', 'The message takes too long'));
    }
    if (this.#pingedAt === undefined) {
      if (now - this.#heardAt < config.activityTimeoutSeconds * 1000) return;
      this.#pingedAt = now;
      this.#webSocket.ping();
    } else if (now - this.#pingedAt >= config.pongTimeoutSeconds * 1000) {
      this.close(new Disconnect(codes.pongNotReceived, 'pong_not_received', 'Pong reply not received'));
    }
  }

  close(why: Disconnect): void {
    if (this.#ended) return;
    // The answer to the close frame could not be read otherwise.
    this.#webSocket.resume();
    this.#webSocket.dismiss(why, false);
    this.ended(why.code, why.reason);
  }

  /** Ends the socket without a close frame. */
  terminate(): void {
    this.#webSocket.terminate();
  }

  /** Every way out of the socket ends here. */
  ended(code: number, reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.off('drain', this.#balance);
    this.#unanswered.clear();
    this.#parts.log.debug({ appId: this.appId, code, reason: reason.slice(0, 123) }, 'publish socket closed');
    this.#parts.onEnd(this, this.#socket);
  }

  /** Never rejects: returns the answer. */
  async #serve(data: Buffer): Promise<string> {
    const { quota, now, metrics } = this.#parts;
    const { app, key } = this.#caller;
    const counts = metrics.app(app.id);
    const { id, events, refusal } = readFrame(data);
    try {
      app.keyUses.count(key.name, 'publish', now());
      const admitted = quota.admit(app);
      if (admitted) await admitted;
      if (!events) throw refusal;
      const requests = readEvents(app, events, app.limits.batchSize, 'events', undefined);
      for (const request of requests) checkChannels(key, request);
      const { attributes, isRepeated } = await this.#traced(requests, data);
      increment(counts.publishes, 200);
      if (isRepeated) counts.idempotency.repeated += 1;
      return publishedAnswer(id, attributes ?? requests.map(() => ({})), isRepeated);
    } catch (error) {
      const { answered, isOurFault } = explain(error);
      increment(counts.publishes, answered.status);
      counts.usage.refused += 1;
      if (answered.status === 429) counts.rateLimitHits += 1;
      this.#report(answered, isOurFault ? error : undefined);
      return refusalAnswer(id, answered);
    }
  }

  /** Publishes within a span, if the broker is traced; an event that has no cause of its own has this one. */
  async #traced(requests: readonly EventRequest[], data: Buffer): Promise<Published> {
    const { tracing } = this.#parts;
    if (!tracing) return this.#publish(requests, data);
    const attributes = { 'countersign.app.id': this.appId, 'messaging.batch.message_count': requests.length };
    const causes = requests.map(({ traceparent }) => traceparent);
    const span = tracing.begin('publish frame', 'server', attributes, causes);
    const caused = requests.map((request) => ({
      ...request,
      traceparent: request.traceparent ?? span.traceparent,
    }));
    let failure: string | undefined;
    try {
      return await this.#publish(caused, data);
    } catch (error) {
      const { answered } = explain(error);
      if (answered.status >= 500) failure = answered.code;
      throw error;
    } finally {
      span.end({}, failure);
    }
  }

  /** @param body the frame, as it came */
  #publish(requests: readonly EventRequest[], body: Buffer): Promise<Published> {
    const { hub, adapter, metrics, quotas, turns } = this.#parts;
    const { app } = this.#caller;
    const { usage } = metrics.app(app.id);
    const channels = requests.flatMap((request) => request.channels.map(({ name }) => name));
    const checkRight = () => this.#checkRight();
    return this.#order.run(channels, async () =>
      turns.run(app, () => {
        checkRight();
        return publishEvents({ app, hub, adapter, checkRight, usage, quotas, body }, requests);
      }),
    );
  }

  /** @throws ApiError if the caller may not publish any more */
  #checkRight(): void {
    this.#parts.callers.checkRight(this.#caller, 'publish');
  }

  #report({ status, code: errorCode, message: reason, part }: ApiError, failure: unknown): void {
    if (this.#ended) return;
    const { log } = this.#parts;
    const { app } = this.#caller;
    if (failure) log.error({ appId: app.id, err: failure }, 'publish frame failed');
    else
      log.info(
        { appId: app.id, status, errorCode, reason: reason.slice(0, 500), ...part },
        'publish frame refused',
      );
    const path = `/apps/${app.id}/publish`;
    app.observer?.observe({ kind: 'requestRefused', method: 'GET', path, status, errorCode, reason, part });
  }

  /** Sends the answers that are next. */
  #send(): void {
    if (this.#ended) return;
    this.#socket.cork();
    for (const answer of this.#unanswered.takeNext()) this.#webSocket.send(answer);
    this.#socket.uncork();
    this.#balance();
    this.#endDrained();
  }

  #endDrained(): void {
    if (!this.#isDraining || this.#unanswered.size > 0) return;
    this.close(new Disconnect(codes.reconnect, 'draining', 'The server restarts: please reconnect'));
  }

  /** Reads on, or waits: for what is read to be answered, and for answers to be read. */
  readonly #balance = (): void => {
    if (this.#ended) return;
    const isUnread = this.#socket.writableLength >= MAX_UNREAD_BYTES;
    if (!isUnread && !this.#socket.writableNeedDrain) this.#unreadSince = undefined;
    else if (isUnread) this.#unreadSince ??= this.#parts.monotonic();
    const isBehind = this.#unanswered.isFull || this.#unreadSince !== undefined || this.#isDraining;
    if (this.#webSocket.isPaused === isBehind) return;
    if (!isBehind) {
      // A part of a frame may have waited in the meantime.
      this.#receivingSince = undefined;
      return this.#webSocket.resume();
    }
    this.#webSocket.pause();
    if (!this.#isDraining) this.#parts.metrics.app(this.appId).publishSockets.pauses += 1;
  };

  #heard(): void {
    this.#heardAt = this.#parts.monotonic();
    this.#pingedAt = undefined;
    this.#receivingSince = undefined;
  }
}

/** What all sockets of a broker share. */
export interface PublishSocketParts {
  readonly config: Config;
  readonly callers: Callers;
  readonly quota: RequestQuota;
  readonly turns: FairTurns<App>;
  readonly hub: Hub;
  readonly adapter: Adapter;
  readonly metrics: Metrics;
  readonly quotas: Quotas;
  /** `undefined`: nothing is traced. */
  readonly tracing: Tracing | undefined;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly monotonic: () => number;
  /** Called when a socket has ended. */
  readonly onEnd: (publishSocket: PublishSocket, socket: Duplex) => void;
}

function whyInvalid({ code, message }: ApiError): Disconnect {
  if (code === 'app_disabled') return new Disconnect(codes.appDisabled, code, message);
  return new Disconnect(codes.unauthorized, code, message);
}
