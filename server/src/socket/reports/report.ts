import type { Logger } from 'pino';
import type { App } from '../../apps/app.ts';
import type { ClaimedProof } from '../../apps/observer.ts';
import type { Audit } from '../../audit/audit.ts';
import { codes, type Disconnect, type Refusal, severityOf } from '../../errors.ts';
import type { ExpelCode } from '../../hub/users.ts';
import { increment, type Metrics, reached } from '../../metrics.ts';
import type { FlightRecorder } from '../../recorder/flight-recorder.ts';
import type { MessageBound } from '../client-socket.ts';
import { countedCode } from '../close-frame.ts';
import type { SignInRefusal, User } from '../proofs/authentication.ts';
import { auditOf, keyIn } from './audited.ts';
import { ChannelReport } from './channel-report.ts';
import { idsOf, type ReportedConnection } from './reported-connection.ts';

/** Reports what happens to connections: to the log, the metrics, the audit log, recordings and the observer of the app. */
export class Report {
  readonly #log: Logger;
  readonly #metrics: Metrics;
  readonly #audit: Audit | undefined;
  readonly #recorder: FlightRecorder;
  readonly channels: ChannelReport;

  /** @param audit `undefined` if it is off */
  constructor(log: Logger, metrics: Metrics, audit: Audit | undefined, recorder: FlightRecorder) {
    this.#log = log;
    this.#metrics = metrics;
    this.#audit = audit;
    this.#recorder = recorder;
    this.channels = new ChannelReport(log, audit, recorder);
  }

  /** Whether debug lines are written. Checked where a busy broker would build their fields in vain. */
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
    const { errorCode, message: reason, explanation, part } = refusal;
    connection.metrics.usage.refused += 1;
    connection.tap?.note('sign_in_refused', { code: errorCode, reason });
    if (this.#audit) {
      const key = keyIn(evidence, connection);
      this.#audit.record(auditOf('sign_in_refused', connection, { key, reason, code: errorCode }));
    }
    const ids = idsOf(connection);
    this.#log.info({ ...ids, errorCode, reason, ...part, mistake }, 'sign-in refused');
    if (explanation) this.#log.debug({ ...ids, explanation }, 'sign-in refused: expected proof');
    const unproven = explanation !== undefined;
    connection.app.observer?.observe({
      kind: 'signInRefused',
      who: connection,
      errorCode,
      reason,
      evidence,
      unproven,
      part,
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
}
