import { type KeyObject, randomBytes } from 'node:crypto';
import { signWebhook, webhookSecretKey, webhookText } from '@countersign/sdk-server/signature';
import type { Logger } from 'pino';
import { backoffMs } from '../async/backoff.ts';
import type { UsagePushSettings } from '../config/usage.ts';
import { increment, type Metrics } from '../metrics.ts';
import { OutboundClient } from '../outbound/http-client.ts';
import { VERSION } from '../version.ts';
import { startOf } from './period.ts';
import type { UsageRow, UsageStore } from './usage-store.ts';
import { CLOUD_EVENTS, cloudEvent, usageView } from './usage-view.ts';

export interface UsagePushParts {
  readonly settings: UsagePushSettings;
  readonly store: UsageStore;
  /** Whether this node has yet to write something from before a time, in Unix milliseconds. */
  readonly isBehind: (before: number) => boolean;
  readonly addresses: 'public' | 'any';
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** Milliseconds after the end of a period until its rows are pushed: by then all nodes have written theirs. */
const SETTLED_MS = 60_000;
/** Rows of one request. */
const BATCH_ROWS = 100;
/** Shorter than the turn, so that it does not end while a request is under way. */
const TIMEOUT_MS = 10_000;
/** Milliseconds between two looks while there is nothing to push. */
const LOOK_MS = 5000;
const MAX_RETRY_AFTER_MS = 3_600_000;

/**
 * Posts the rows of periods that are over to one URL, in their order, as CloudEvents. What is not taken is posted again,
 * for as long as rows are kept, and the store knows where to go on.
 */
export class UsagePush {
  readonly #parts: UsagePushParts;
  readonly #node = randomBytes(9).toString('base64url');
  readonly #client: OutboundClient;
  readonly #secret: KeyObject;
  #timer: NodeJS.Timeout | undefined;
  #work: Promise<void> | undefined;
  #isClosed = false;
  #failures = 0;

  constructor(parts: UsagePushParts) {
    const secret = webhookSecretKey(parts.settings.secret);
    if (!secret) throw new Error('the secret of usage.push was not checked');
    this.#parts = parts;
    this.#secret = secret;
    const { addresses, now } = parts;
    this.#client = new OutboundClient({ addresses, timeoutMs: TIMEOUT_MS, now });
  }

  start(): void {
    this.#work = this.#step().then((pauseMs) => {
      if (!this.#isClosed) this.#timer = setTimeout(() => this.start(), pauseMs).unref();
    });
  }

  /** What is under way is cut off: the next run, or another node, posts it again. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#client.cutOff();
    await this.#work;
    this.#client.close();
    // Another node need not wait until the turn of this one has lapsed; it does if the store is out of reach.
    await this.#parts.store.leavePush(this.#node).catch((error: unknown) => {
      this.#parts.log.warn({ err: error }, 'the turn to push usage could not be given back');
    });
  }

  /** @returns for how many milliseconds to pause */
  async #step(): Promise<number> {
    try {
      return await this.#pushNext();
    } catch (error) {
      return this.#failed('unreadable', { err: error });
    }
  }

  async #pushNext(): Promise<number> {
    const { settings, store, isBehind, metrics, log, now } = this.#parts;
    const { unit } = settings;
    // Nothing from before the first start is pushed: whoever wants it exports it.
    const last = await store.takePush(this.#node, { from: startOf(unit, now()), app: '' });
    const to = startOf(unit, now() - SETTLED_MS);
    if (!last || isBehind(to)) return LOOK_MS;
    const rows = await store.rows({ unit, from: last.from, to, after: last, limit: BATCH_ROWS });
    const newest = rows.at(-1);
    if (!newest || this.#isClosed) return LOOK_MS;
    const answer = await this.#post(rows);
    if (!answer) return LOOK_MS;
    increment(metrics.usagePushes, answer.outcome);
    if (answer.outcome !== 'delivered') {
      const { outcome, status, text, retryAfterMs = 0 } = answer;
      const pauseMs = this.#failed(outcome, { status, answer: text });
      return Math.max(pauseMs, Math.min(retryAfterMs, MAX_RETRY_AFTER_MS));
    }
    await store.pushed(this.#node, { from: newest.from, app: newest.app });
    if (this.#failures > 0) log.info('usage is pushed again');
    this.#failures = 0;
    return rows.length === BATCH_ROWS ? 0 : LOOK_MS;
  }

  #post(rows: readonly UsageRow[]): ReturnType<OutboundClient['post']> {
    const { settings, now } = this.#parts;
    const { url, token, unit } = settings;
    const at = now();
    const body = JSON.stringify(rows.map((row) => cloudEvent(usageView(row, unit, at))));
    const [first, last] = [rows[0], rows.at(-1)];
    const id = `usage/${unit}/${first?.from}/${first?.app}/${last?.from}/${last?.app}`;
    const timestamp = String(Math.floor(at / 1000));
    const headers = {
      'Content-Type': CLOUD_EVENTS,
      'User-Agent': `Countersign/${VERSION}`,
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': signWebhook(this.#secret, webhookText(id, timestamp, body)),
    };
    return this.#client.post(url, headers, body);
  }

  #failed(outcome: string, fields: object): number {
    this.#failures += 1;
    const pauseMs = backoffMs(this.#failures, Math.random());
    this.#parts.log.warn({ ...fields, outcome, retryInMs: pauseMs }, 'usage could not be pushed');
    return pauseMs;
  }
}
