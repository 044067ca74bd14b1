import type { Logger } from 'pino';
import { type Grant, userOf } from '../../access/grant.ts';
import type { App } from '../../apps/app.ts';
import type { ClaimedProof } from '../../apps/observer.ts';
import type { Audit } from '../../audit/audit.ts';
import { codes, type Disconnect, type Refusal, type SubscriptionRefusal, severityOf } from '../../errors.ts';
import type { ExpelCode } from '../../hub/users.ts';
import { increment, type Metrics, reached } from '../../metrics.ts';
import type { FlightRecorder } from '../../recorder/flight-recorder.ts';
import type { MessageBound } from '../client-socket.ts';
import { countedCode } from '../close-frame.ts';
import type { SignInRefusal, User } from '../proofs/authentication.ts';
import { auditOf, auditOfGrant, isProven, keyIn } from './audited.ts';
import type { ReportedConnection } from './reported-connection.ts';

/** Characters of a channel name from a client that the log holds. */
const MAX_LOGGED_NAME = 200;

/** Reports what happens on connections: to the log, the metrics and the observer of the app. */
export class Report {
  readonly #log: Logger;
  readonly #metrics: Metrics;
  readonly #audit: Audit | undefined;
  readonly #recorder: FlightRecorder;

  /** @param audit `undefined` if it is off */
  constructor(log: Logger, metrics: Metrics, audit: Audit | undefined, recorder: FlightRecorder) {
    this.#log = log;
    this.#metrics = metrics;
    this.#audit = audit;
    this.#recorder = recorder;
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
    const { app, metrics, client, address, tap } = connection;
    if (tap) {
      tap.note('closed', { code, reason });
      this.#recorder.ended(connection);
    }
    metrics.connections -= 1;
    increment(metrics.closes, countedCode(code));
    if (this.#isDebug)
      this.#log.debug({ ...idsOf(connection), code, reason, client, address }, 'disconnected');
    app.observer?.observe({ kind: 'disconnected', who: connection, code, reason });
  }

  /**
   * The broker refused a handshake.
   *
   * @param app the one whose key it has, if there is one
   */
  handshakeRefused({ code, errorCode, reason }: Disconnect, address: string, app: App | undefined): void {
    increment(this.#metrics.refusedHandshakes, code);
    if (app) this.#metrics.app(app.id).usage.refused += 1;
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
    connection.tap?.note('message_refused', { code: errorCode, reason });
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
    if (errorCode === 'grant_expired') {
      this.#audit?.record(
        auditOf('grant_expired', connection, { user_id: connection.userId, reason, code: errorCode }),
      );
    }
    const { address } = connection;
    this.#log.info({ ...idsOf(connection), code, errorCode, reason, address }, 'connection closed');
  }

  signedIn(connection: ReportedConnection, { id: userId, key, claims }: User): void {
    this.#recorder.identified(connection, userId);
    connection.tap?.note('signed_in', {
      user_id: userId,
      key: key?.name,
      grant_id: claims?.id,
      expires_at: claims?.expiresAt,
    });
    this.#audit?.record(
      auditOf('signed_in', connection, { user_id: userId, key: key?.name, grant_id: claims?.id }),
    );
    this.#log.debug({ ...idsOf(connection), userId }, 'signed in');
    connection.app.observer?.observe({ kind: 'signedIn', who: connection, userId });
  }

  /** @param mistake of the backend, if it was looked for */
  signInRefused(
    connection: ReportedConnection,
    refusal: SignInRefusal,
    evidence: ClaimedProof,
    mistake?: string,
  ): void {
    const { errorCode, message: reason, explanation } = refusal;
    connection.metrics.usage.refused += 1;
    connection.tap?.note('sign_in_refused', { code: errorCode, reason });
    if (this.#audit) {
      const key = keyIn(evidence, connection);
      this.#audit.record(auditOf('sign_in_refused', connection, { key, reason, code: errorCode }));
    }
    const ids = idsOf(connection);
    this.#log.info({ ...ids, errorCode, reason, mistake }, 'sign-in refused');
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

  /** The application, or a limit that it has set, ended the connection. */
  expelled(connection: ReportedConnection, reason: string, code: ExpelCode): void {
    connection.tap?.note('expelled', { code, reason });
    const parts = { user_id: connection.userId, reason, code };
    this.#audit?.record(auditOf('disconnected_by_app', connection, parts));
    if (code !== 'superseded') return;
    increment(connection.metrics.refusals, code);
    this.#log.info({ ...idsOf(connection), address: connection.address }, 'connection superseded');
  }

  /** @param isRenewal the grant replaces an earlier one */
  subscribed(connection: ReportedConnection, channel: string, grant: Grant, isRenewal: boolean): void {
    const userId = grant.member?.userId;
    if (this.#recorder.isOn) this.#recordSubscribed(connection, channel, grant, isRenewal);
    if (isProven(grant) && this.#audit) {
      const type = isRenewal ? 'grant_renewed' : 'grant_used';
      this.#audit.record(auditOf(type, connection, { channel, ...auditOfGrant(connection, grant) }));
    }
    if (this.#isDebug) this.#log.debug({ ...idsOf(connection), channel, userId }, 'subscribed');
    connection.app.observer?.observe({ kind: 'subscribed', who: connection, channel, userId });
  }

  #recordSubscribed(connection: ReportedConnection, channel: string, grant: Grant, isRenewal: boolean): void {
    this.#recorder.identified(connection, userOf(grant));
    connection.tap?.note(isRenewal ? 'renewed' : 'subscribed', {
      channel,
      ...auditOfGrant(connection, grant),
      expires_at: grant.claims?.expiresAt,
    });
  }

  unsubscribed(connection: ReportedConnection, channel: string): void {
    connection.tap?.note('unsubscribed', { channel });
    if (this.#isDebug) this.#log.debug({ ...idsOf(connection), channel }, 'unsubscribed');
    connection.app.observer?.observe({ kind: 'unsubscribed', who: connection, channel });
  }

  /**
   * The broker ended a subscription, for the application or because its grant is not valid any more.
   *
   * @param why `undefined`: the grant has expired, and the client is not told
   */
  subscriptionEnded(
    connection: ReportedConnection,
    channel: string,
    grant: Grant,
    why: SubscriptionRefusal | undefined,
  ): void {
    const { code = 'grant_expired' } = why ?? {};
    connection.tap?.note('subscription_ended', { channel, code, reason: why?.message });
    if (isProven(grant) && this.#audit) {
      const type = code === 'grant_expired' ? 'grant_expired' : 'grant_revoked';
      const parts = { channel, ...auditOfGrant(connection, grant), code, reason: why?.message };
      this.#audit.record(auditOf(type, connection, parts));
    }
    if (why) this.#refused(connection, channel, why, NO_EVIDENCE);
  }

  /** @param grant what the client has proven, though it is not accepted */
  subscriptionRefused(
    connection: ReportedConnection,
    channel: string,
    refusal: SubscriptionRefusal,
    evidence: ClaimedProof,
    { mistake, grant }: { readonly mistake: string | undefined; readonly grant: Grant | undefined },
  ): void {
    const { message: reason, code } = refusal;
    connection.tap?.note('subscription_refused', { channel, code, reason });
    if (this.#audit) {
      const who = grant
        ? auditOfGrant(connection, grant)
        : { user_id: connection.userId, key: keyIn(evidence, connection) };
      this.#audit.record(auditOf('grant_refused', connection, { channel, ...who, reason, code }));
    }
    connection.metrics.usage.refused += 1;
    this.#refused(connection, channel, refusal, evidence, mistake);
  }

  #refused(
    connection: ReportedConnection,
    channel: string,
    refusal: SubscriptionRefusal,
    evidence: ClaimedProof,
    mistake?: string,
  ): void {
    const { type, code: errorCode, message: reason, explanation, cause } = refusal;
    const fields = { ...idsOf(connection), channel: channel.slice(0, MAX_LOGGED_NAME) };
    increment(connection.metrics.refusals, type);
    if (cause) this.#log[severityOf(cause)]({ ...fields, err: cause }, 'subscription failed');
    else this.#log.info({ ...fields, type, errorCode, reason, mistake }, 'subscription refused');
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

  clientEventRefused({ metrics }: ReportedConnection): void {
    metrics.usage.refused += 1;
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

const NO_EVIDENCE: ClaimedProof = { auth: undefined, data: undefined };
