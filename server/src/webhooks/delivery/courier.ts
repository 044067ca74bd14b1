import type { Logger } from 'pino';
import { z } from 'zod';
import type { App } from '../../apps/app.ts';
import type { Hook } from '../../apps/hook.ts';
import { backoffMs } from '../../async/backoff.ts';
import type { SigningKey } from '../../data/signing-key.ts';
import { increment, type Metrics } from '../../metrics.ts';
import type { Answer, OutboundClient } from '../../outbound/http-client.ts';
import { tracedPost } from '../../outbound/traced-post.ts';
import type { Tracing } from '../../tracing/tracing.ts';
import type { HealthBook } from '../health/health.ts';
import type { Attempt, Delivery, Outbox } from '../outbox/outbox.ts';
import type { Sent } from './circuit-breaker.ts';
import { signRequest } from './signed-request.ts';

export interface CourierParts {
  readonly outbox: Outbox;
  readonly transport: OutboundClient;
  /** The key of the broker, for webhooks that it signs. */
  readonly signingKey?: SigningKey | undefined;
  readonly metrics: Metrics;
  readonly health: HealthBook;
  readonly log: Logger;
  /** Unix milliseconds by a monotonic clock, for everything that is waited for. */
  readonly now: () => number;
  /** Unix milliseconds by the wall clock, for what receivers read. */
  readonly wallClock: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
  /** Milliseconds after the first attempt during which a delivery is retried. */
  readonly retryMs: number;
  /** Called when a request was sent, and when it was answered but the outbox does not have the outcome yet. */
  readonly onStep?: ((step: 'afterSend' | 'beforeAcknowledge') => void) | undefined;
  /** `undefined`: nothing is traced. */
  readonly tracing?: Tracing | undefined;
}

/**
 * What a lane does after an attempt: `go on` with the next delivery, `stop` until it is opened again, or retry at
 * `dueAt` and not after `endsAt`, both in Unix milliseconds.
 */
export type Next = 'go on' | 'stop' | { readonly dueAt: number; readonly endsAt: number };

/** One attempt. */
export interface Tried {
  readonly sent: Sent;
  /** Rejects if the outbox failed. */
  readonly committed: Promise<Next>;
}

/** The longest time for which a receiver may postpone a delivery by `Retry-After`; no pause is longer. */
export const MAX_RETRY_AFTER_MS = 3_600_000;
const GONE = 410;
/** Client errors that describe the state of the receiver; all others are about the request. */
const OF_RECEIVER: ReadonlySet<number> = new Set([408, 425, 429]);
const NOT_ASKED: Sent = { result: 'nothing' };

/** Sends one delivery and commits the outcome. */
export class Courier {
  readonly #parts: CourierParts;

  constructor(parts: CourierParts) {
    this.#parts = parts;
  }

  async deliver(app: App, hook: Hook, delivery: Delivery): Promise<Tried> {
    const { transport, tracing, signingKey, metrics, health, onStep, now, wallClock, retryMs } = this.#parts;
    const at = now();
    if (delivery.triedSince !== undefined && at >= delivery.triedSince + retryMs) {
      const attempt = { at, status: null, answer: 'not sent: it was due after the time to retry' };
      return { sent: NOT_ASKED, committed: this.#giveUp(hook, delivery, attempt) };
    }
    const request = signRequest(app, hook, signingKey, delivery, wallClock());
    const answer = await tracedPost(transport, tracing, {
      name: 'webhook attempt',
      attributes: {
        'countersign.app.id': app.id,
        'countersign.webhook.id': delivery.id,
        'messaging.batch.message_count': delivery.size,
      },
      causes: causesOf(delivery),
      url: hook.url,
      headers: request.headers,
      body: request.body,
      onSent: () => onStep?.('afterSend'),
    });
    if (!answer) return { sent: NOT_ASKED, committed: Promise.resolve('stop') };
    increment(metrics.app(hook.appId).webhookAttempts, answer.outcome);
    health.add(hook, delivery, request, answer, Math.round(now() - at));
    return { sent: sentOf(answer), committed: this.#commit(hook, delivery, at, answer) };
  }

  async #commit(hook: Hook, delivery: Delivery, at: number, answer: Answer): Promise<Next> {
    const { outbox, log, now, random, retryMs, onStep } = this.#parts;
    const { status, text, outcome, retryAfterMs = 0 } = answer;
    if (outcome === 'delivered') {
      onStep?.('beforeAcknowledge');
      await outbox.deliveries.acknowledge(delivery);
      return 'go on';
    }
    const attempt = { at, status, answer: text };
    const ids = { appId: hook.appId, hook: hook.id, delivery: delivery.id, outcome, status };
    if (status === GONE) {
      await outbox.deliveries.fail(delivery, attempt, now());
      await outbox.setState(hook.key, 'disabled');
      log.warn(ids, 'webhook disabled: its receiver is gone');
      return 'stop';
    }
    const delay = Math.max(
      backoffMs(delivery.tries + 1, random()),
      Math.min(retryAfterMs, MAX_RETRY_AFTER_MS),
    );
    const dueAt = now() + delay;
    const endsAt = (delivery.triedSince ?? at) + retryMs;
    if (dueAt >= endsAt) return this.#giveUp(hook, delivery, attempt);
    await outbox.deliveries.fail(delivery, attempt, dueAt);
    log.info({ ...ids, retryInMs: Math.round(delay) }, 'webhook delivery failed');
    return { dueAt, endsAt };
  }

  async #giveUp(hook: Hook, delivery: Delivery, attempt: Attempt): Promise<Next> {
    const { outbox, metrics, log } = this.#parts;
    await outbox.deliveries.park(delivery, attempt);
    metrics.app(hook.appId).webhookDeadLetters += 1;
    const ids = { appId: hook.appId, hook: hook.id, delivery: delivery.id, status: attempt.status };
    log.warn(ids, 'webhook delivery became a dead letter: it was tried for too long');
    return 'go on';
  }
}

const causeSchema = z.array(z.object({ traceparent: z.string().optional() }));

/** What caused the events, as far as their clients have said so. */
function causesOf({ events }: Delivery): readonly string[] {
  if (!events.includes('"traceparent"')) return [];
  return causeSchema.parse(JSON.parse(`[${events}]`)).flatMap(({ traceparent }) => traceparent ?? []);
}

function sentOf({ outcome, status, retryAfterMs }: Answer): Sent {
  if (outcome === 'delivered') return { result: 'taken' };
  const isAboutDelivery = status !== null && status >= 400 && status < 500 && !OF_RECEIVER.has(status);
  return isAboutDelivery ? { result: 'refused' } : { result: 'failed', retryAfterMs };
}
