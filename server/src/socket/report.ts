import type { Logger } from 'pino';
import type { App } from '../apps/app.ts';
import type { ClaimedProof, ClientInfo } from '../apps/observer.ts';
import { codes, type Disconnect, type Refusal, type SubscriptionRefusal, severityOf } from '../errors.ts';
import { type AppMetrics, increment, type Metrics, reached } from '../metrics.ts';
import type { SignInRefusal } from './authorization.ts';
import type { MessageBound } from './client-socket.ts';
import { countedCode } from './close-frame.ts';

/** A connection, as reports name it. */
export interface ReportedConnection extends ClientInfo {
  readonly app: App;
  readonly metrics: AppMetrics;
}

/** Characters of a channel name from a client that the log holds. */
const MAX_LOGGED_NAME = 200;

/** Reports what happens on connections: to the log, the metrics and the observer of the app. */
export class Report {
  readonly #log: Logger;
  readonly #metrics: Metrics;

  constructor(log: Logger, metrics: Metrics) {
    this.#log = log;
    this.#metrics = metrics;
  }

  /** Whether debug lines are written. Asked where a busy broker would make their fields for nothing. */
  get #isDebug(): boolean {
    return this.#log.isLevelEnabled('debug');
  }

  connected(connection: ReportedConnection): void {
    const { app, metrics, client, address } = connection;
    metrics.connections += 1;
    metrics.connects += 1;
    if (this.#isDebug) this.#log.debug({ ...idsOf(connection), client, address }, 'connected');
    app.observer?.observe({ kind: 'connected', who: connection });
  }

  disconnected(connection: ReportedConnection, code: number, reason: string): void {
    const { app, metrics, client, address } = connection;
    metrics.connections -= 1;
    increment(metrics.closes, countedCode(code));
    if (this.#isDebug)
      this.#log.debug({ ...idsOf(connection), code, reason, client, address }, 'disconnected');
    app.observer?.observe({ kind: 'disconnected', who: connection, code, reason });
  }

  /** The broker refused a handshake. */
  handshakeRefused({ code, errorCode, reason }: Disconnect, address: string): void {
    increment(this.#metrics.refusedHandshakes, code);
    this.#log.info({ code, errorCode, reason, address }, 'connection refused');
  }

  handshakeFailed(error: unknown): void {
    this.#log.error({ err: error }, 'handshake failed');
  }

  quotaNotReleased(appId: string, error: unknown): void {
    this.#log[severityOf(error)]({ err: error, appId }, 'failed to release connection quota');
  }

  /** A bound of the process was reached. */
  boundReached(bound: string, fields: object): void {
    reached(this.#metrics, this.#log, bound, fields);
  }

  /** The connection was cut off so that the outbound buffers of the process stay within their bound. */
  buffersExceeded(connection: ReportedConnection): void {
    this.boundReached('buffered_bytes', idsOf(connection));
  }

  slowReader({ metrics }: ReportedConnection): void {
    metrics.slowReaders += 1;
  }

  /** The client sent more often, or more slowly, than a limit allows. */
  limitExceeded(
    { metrics }: ReportedConnection,
    limit: 'frame_rate' | 'proof_rate' | 'sign_in_rate' | 'message_time',
  ): void {
    increment(metrics.refusals, limit);
  }

  clientEventRateExceeded({ metrics }: ReportedConnection): void {
    metrics.rateLimitHits += 1;
  }

  /** A message exceeded a bound of the WebSocket. */
  messageTooLarge(connection: ReportedConnection, bound: MessageBound): void {
    const { metrics, address } = connection;
    increment(metrics.refusals, bound);
    this.#log.info({ ...idsOf(connection), type: bound, address }, 'message too large');
  }

  messageRefused(connection: ReportedConnection, { code, errorCode, message: reason }: Refusal): void {
    const { app, metrics } = connection;
    increment(metrics.refusals, code === null ? 'message' : String(code));
    this.#log.debug({ ...idsOf(connection), code, errorCode, reason }, 'message refused');
    // signInRefused has reported refused sign-ins to the observer, with the proof.
    if (code === codes.unauthorized) return;
    app.observer?.observe({ kind: 'messageRefused', who: connection, errorCode, reason });
  }

  messageFailed(connection: ReportedConnection, error: unknown): void {
    this.#log[severityOf(error)]({ ...idsOf(connection), err: error }, 'message failed');
  }

  /** The client broke a rule, so the broker closes the connection. */
  connectionClosed(connection: ReportedConnection, { code, errorCode, reason }: Disconnect): void {
    const { address } = connection;
    this.#log.info({ ...idsOf(connection), code, errorCode, reason, address }, 'connection closed');
  }

  signedIn(connection: ReportedConnection, userId: string): void {
    this.#log.debug({ ...idsOf(connection), userId }, 'signed in');
    connection.app.observer?.observe({ kind: 'signedIn', who: connection, userId });
  }

  signInRefused(connection: ReportedConnection, refusal: SignInRefusal, evidence: ClaimedProof): void {
    const { errorCode, message: reason, explanation } = refusal;
    const ids = idsOf(connection);
    this.#log.info({ ...ids, errorCode, reason }, 'sign-in refused');
    if (explanation) this.#log.debug({ ...ids, explanation }, 'sign-in refused: expected proof');
    const unproven = explanation !== undefined;
    connection.app.observer?.observe({
      kind: 'signInRefused',
      who: connection,
      errorCode,
      reason,
      evidence,
      unproven,
    });
  }

  subscribed(connection: ReportedConnection, channel: string, userId: string | undefined): void {
    if (this.#isDebug) this.#log.debug({ ...idsOf(connection), channel, userId }, 'subscribed');
    connection.app.observer?.observe({ kind: 'subscribed', who: connection, channel, userId });
  }

  unsubscribed(connection: ReportedConnection, channel: string): void {
    if (this.#isDebug) this.#log.debug({ ...idsOf(connection), channel }, 'unsubscribed');
    connection.app.observer?.observe({ kind: 'unsubscribed', who: connection, channel });
  }

  subscriptionRefused(
    connection: ReportedConnection,
    channel: string,
    refusal: SubscriptionRefusal,
    evidence: ClaimedProof,
  ): void {
    const { type, code: errorCode, message: reason, explanation, cause } = refusal;
    const fields = { ...idsOf(connection), channel: channel.slice(0, MAX_LOGGED_NAME) };
    increment(connection.metrics.refusals, type);
    if (cause) this.#log[severityOf(cause)]({ ...fields, err: cause }, 'subscription failed');
    else this.#log.info({ ...fields, type, errorCode, reason }, 'subscription refused');
    if (explanation) this.#log.debug({ ...fields, explanation }, 'subscription refused: expected proof');
    connection.app.observer?.observe({
      kind: 'subscriptionRefused',
      who: connection,
      channel,
      errorCode,
      reason,
      evidence,
      unproven: explanation !== undefined,
    });
  }

  /** A subscribe, unsubscribe or recheck of one channel failed for no reason that the client could change. */
  channelStepFailed(connection: ReportedConnection, channel: string, error: unknown): void {
    this.#log.error({ ...idsOf(connection), err: error, channel }, 'channel step failed');
  }

  clientEventAccepted({ metrics }: ReportedConnection): void {
    metrics.clientEvents += 1;
  }

  clientEventFailed(connection: ReportedConnection, channel: string, error: unknown): void {
    this.#log[severityOf(error)]({ ...idsOf(connection), err: error, channel }, 'client event failed');
  }
}

/** The fields that every log line about a connection has. */
function idsOf({ app, key, socketId }: ReportedConnection): object {
  return { appId: app.id, key, socketId };
}
