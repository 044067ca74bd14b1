import type { Logger } from 'pino';
import { type Grant, userOf } from '../../access/grant.ts';
import type { ClaimedProof } from '../../apps/observer.ts';
import type { Audit } from '../../audit/audit.ts';
import { type SubscriptionRefusal, severityOf } from '../../errors.ts';
import { increment } from '../../metrics.ts';
import type { FlightRecorder } from '../../recorder/flight-recorder.ts';
import { auditOf, auditOfGrant, isProven, keyIn } from './audited.ts';
import { idsOf, type ReportedConnection } from './reported-connection.ts';

/** Characters of a channel name from a client that the log holds. */
const MAX_LOGGED_NAME = 200;
const NO_EVIDENCE: ClaimedProof = { auth: undefined, data: undefined };

/** Reports what connections do in channels: subscriptions and client events. */
export class ChannelReport {
  readonly #log: Logger;
  readonly #audit: Audit | undefined;
  readonly #recorder: FlightRecorder;

  /** @param audit `undefined` if it is off */
  constructor(log: Logger, audit: Audit | undefined, recorder: FlightRecorder) {
    this.#log = log;
    this.#audit = audit;
    this.#recorder = recorder;
  }

  /** @param isRenewal the grant replaces an earlier one */
  subscribed(connection: ReportedConnection, channel: string, grant: Grant, isRenewal: boolean): void {
    const userId = grant.member?.userId;
    if (this.#recorder.isOn) this.#recordSubscribed(connection, channel, grant, isRenewal);
    if (isProven(grant) && this.#audit) {
      const type = isRenewal ? 'grant_renewed' : 'grant_used';
      this.#audit.record(auditOf(type, connection, { channel, ...auditOfGrant(connection, grant) }));
    }
    if (this.#log.isLevelEnabled('debug'))
      this.#log.debug({ ...idsOf(connection), channel, userId }, 'subscribed');
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
    if (this.#log.isLevelEnabled('debug')) this.#log.debug({ ...idsOf(connection), channel }, 'unsubscribed');
    connection.app.observer?.observe({ kind: 'unsubscribed', who: connection, channel });
  }

  /**
   * The broker ended a subscription, for the application or because its grant is not valid any more.
   *
   * @param why `undefined`: the grant has expired, and the client is not told
   */
  ended(
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
    if (why) this.#logRefusal(connection, channel, why, NO_EVIDENCE);
  }

  /** @param grant what the client has proven, though it is not accepted */
  refused(
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
    this.#logRefusal(connection, channel, refusal, evidence, mistake);
  }

  #logRefusal(
    connection: ReportedConnection,
    channel: string,
    refusal: SubscriptionRefusal,
    evidence: ClaimedProof,
    mistake?: string,
  ): void {
    const { type, code: errorCode, message: reason, explanation, part, cause } = refusal;
    const fields = { ...idsOf(connection), channel: channel.slice(0, MAX_LOGGED_NAME) };
    increment(connection.metrics.refusals, type);
    if (cause) this.#log[severityOf(cause)]({ ...fields, err: cause }, 'subscription failed');
    else this.#log.info({ ...fields, type, errorCode, reason, ...part, mistake }, 'subscription refused');
    if (explanation) this.#log.debug({ ...fields, explanation }, 'subscription refused: expected proof');
    connection.app.observer?.observe({
      kind: 'subscriptionRefused',
      who: connection,
      channel,
      errorCode,
      reason,
      evidence,
      unproven: explanation !== undefined,
      part,
    });
  }

  /** A subscribe, unsubscribe or recheck of one channel failed for no reason that the client could change. */
  stepFailed(connection: ReportedConnection, channel: string, error: unknown): void {
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

  clientEventRateExceeded({ metrics }: ReportedConnection): void {
    metrics.rateLimitHits += 1;
  }
}
