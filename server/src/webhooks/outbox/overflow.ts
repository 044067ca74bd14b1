import type { Logger } from 'pino';
import { appOfHook, type HookKey } from '../../apps/hook.ts';
import { increment, type Metrics } from '../../metrics.ts';
import type { Forgotten, OutboxListener } from './outbox.ts';

export interface OverflowParts {
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Gets the events about deliveries. */
  readonly next: Omit<OutboxListener, 'dropped'>;
}

/** Milliseconds without an overflow after which the next one is logged again. */
const QUIET_MS = 60_000;

/** Counts what the outbox dropped because a bound was reached, and logs the first drop of each episode. */
export class Overflow implements OutboxListener {
  readonly #parts: OverflowParts;
  /** The last drop by app and kind, in milliseconds of `performance.now()`. */
  readonly #last = new Map<string, number>();

  constructor(parts: OverflowParts) {
    this.#parts = parts;
  }

  appended(hook: HookKey, lane: string, dueAt: number): void {
    this.#parts.next.appended(hook, lane, dueAt);
  }

  reopened(): void {
    this.#parts.next.reopened();
  }

  overflowed(hook: HookKey, count: number): void {
    const appId = appOfHook(hook);
    this.#parts.metrics.app(appId).webhookDeadLetters += count;
    if (this.#isNews(hook)) {
      const fields = { appId, hook: hook.slice(appId.length + 1) };
      this.#parts.log.warn(fields, 'webhook deliveries become dead letters: too many wait');
    }
    this.#parts.next.overflowed(hook, count);
  }

  dropped(appId: string, what: Forgotten, count: number): void {
    increment(this.#parts.metrics.app(appId).webhookForgotten, what, count);
    if (!this.#isNews(`${what} ${appId}`)) return;
    const text =
      what === 'event'
        ? 'webhook events are forgotten before their time: the log is full'
        : 'webhook dead letters are forgotten before their time: there are too many';
    this.#parts.log.warn({ appId }, text);
  }

  #isNews(key: string): boolean {
    const now = performance.now();
    const last = this.#last.get(key) ?? Number.NEGATIVE_INFINITY;
    this.#last.set(key, now);
    return now - last > QUIET_MS;
  }
}
