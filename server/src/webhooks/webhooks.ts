import type { Logger } from 'pino';
import type { AppStore } from '../apps/app.ts';
import type { Hook } from '../apps/hook.ts';
import { callableAddresses } from '../config/callable-addresses.ts';
import type { Config } from '../config/config.ts';
import type { SigningKey } from '../data/signing-key.ts';
import type { Metrics } from '../metrics.ts';
import { OutboundClient } from '../outbound/http-client.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { OutboxControl, type WebhookControl } from './control.ts';
import { Dispatcher } from './delivery/dispatcher.ts';
import { HealthBook } from './health/health.ts';
import type { DeliveryState, KeptBytes, Outbox } from './outbox/outbox.ts';
import { Overflow } from './outbox/overflow.ts';
import type { PresenceSource } from './pending-removals.ts';
import { Recorder } from './recorder.ts';

/** Moments at which a test may end the process. */
export type WebhookStep = 'beforeWrite' | 'afterWrite' | 'afterSend' | 'beforeAcknowledge';

export interface WebhooksParts {
  readonly config: Config;
  readonly apps: AppStore;
  readonly outbox: Outbox;
  /** The key of the broker, for webhooks that it signs. */
  readonly signingKey?: SigningKey | undefined;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
  readonly onStep?: ((step: WebhookStep) => void) | undefined;
  /** `undefined`: nothing is traced. */
  readonly tracing?: Tracing | undefined;
  /** Set if events are not recorded completely or not in order: knows what is present. */
  readonly presence?: PresenceSource | undefined;
}

const ATTEMPT_TIMEOUT_MS = 4000;
const SWEEP_MS = 10_000;

/** Webhooks of one process: records events, delivers them, and forgets old ones. */
export class Webhooks {
  readonly #parts: WebhooksParts;
  readonly #recorder: Recorder;
  readonly #dispatcher: Dispatcher;
  /** What apps can do. */
  readonly #health: HealthBook;
  readonly control: WebhookControl;
  #sweep: NodeJS.Timeout | undefined;

  constructor(parts: WebhooksParts) {
    const { config, apps, outbox, signingKey, metrics, log, now, onStep, tracing, presence } = parts;
    this.#parts = parts;
    this.#health = new HealthBook(now);
    this.#recorder = new Recorder({
      apps,
      outbox,
      metrics,
      log,
      now,
      graceMs: config.webhookGraceSeconds * 1000,
      restartGraceMs: config.webhookRestartGraceSeconds * 1000,
      presence,
    });
    this.#dispatcher = new Dispatcher({
      apps,
      outbox,
      transport: new OutboundClient({
        addresses: callableAddresses(config),
        timeoutMs: ATTEMPT_TIMEOUT_MS,
        now,
      }),
      signingKey,
      metrics,
      health: this.#health,
      log,
      now: steadyClock(now),
      wallClock: now,
      random: Math.random,
      retryMs: config.webhookRetrySeconds * 1000,
      onStep,
      tracing,
    });
    outbox.attach(new Overflow({ metrics, log, next: this.#dispatcher }));
    this.control = new OutboxControl({
      outbox,
      health: this.#health,
      recorder: this.#recorder,
      dispatcher: this.#dispatcher,
      hooks: () => this.#hooks(),
      now,
    });
  }

  /** Takes the domain events. */
  get journal(): Recorder {
    return this.#recorder;
  }

  /**
   * Starts to deliver, and to wait for what was present when the last process ended.
   *
   * @param grace how long: in the `usual` one it did not take their connections with it
   */
  start(grace: 'usual' | 'restart' = 'restart'): void {
    const { outbox, config, log, now } = this.#parts;
    const hooks = this.#hooks();
    if (outbox.epoch !== undefined && hooks.length > 0) {
      log.warn(
        'webhooks are kept in memory: what is not delivered when the broker ends is lost; "data" keeps it on disk',
      );
    }
    this.#recorder.start(grace);
    this.#dispatcher.update(hooks);
    this.#sweep = setInterval(() => {
      const before = now() - config.webhookLogSeconds * 1000;
      const standing = new Set(this.#hooks().map(({ key }) => key));
      this.#health.keep(standing);
      outbox.sweep(before, standing).catch((error: unknown) => {
        log.error({ err: error }, 'old webhook events could not be forgotten');
      });
    }, SWEEP_MS).unref();
  }

  /** Applies the hooks of a reload. */
  reload(): void {
    this.#dispatcher.update(this.#hooks());
  }

  /** If the outbox outlives the process, clients that leave from now on may return to the next one. */
  handOver(): void {
    if (this.#outlives) this.#recorder.close();
  }

  /**
   * Delivers what waits, as far as time allows; no further events come. Failures are retried only if the outbox ends
   * with the process: otherwise the next process does that.
   *
   * @param deadline as `performance.now()` counts
   */
  async drain(deadline: number): Promise<void> {
    if (!this.#outlives) await this.#recorder.end();
    // The last events are committed behind all earlier ones.
    await this.#parts.outbox.append([]).catch(() => {});
    await this.#dispatcher.drain(deadline, !this.#outlives);
    const deliveries = this.countWaiting();
    if (deliveries === 0) return;
    if (this.#outlives) this.#parts.log.info({ deliveries }, 'webhook deliveries wait for the next start');
    else this.#parts.log.warn({ deliveries }, 'webhook deliveries are lost: they were not taken in time');
  }

  /** Ends: what is not delivered stays in the outbox. */
  async close(): Promise<void> {
    clearInterval(this.#sweep);
    this.#recorder.close();
    await this.#dispatcher.close();
    await this.#parts.outbox.close();
  }

  /** Deliveries that have neither arrived nor been given up. */
  countWaiting(): number {
    let deliveries = 0;
    for (const { pending, failing } of this.countDeliveries().values()) deliveries += pending + failing;
    return deliveries;
  }

  /** Deliveries by state, by app id. */
  countDeliveries(): ReadonlyMap<string, Readonly<Record<DeliveryState, number>>> {
    const apps = new Map<string, Record<DeliveryState, number>>();
    for (const { id, hooks } of this.#parts.apps.all()) {
      const sum = { pending: 0, failing: 0, dead: 0 };
      for (const { key } of hooks) {
        const { pending, failing, dead } = this.#parts.outbox.deliveries.counts(key);
        sum.pending += pending;
        sum.failing += failing;
        sum.dead += dead;
      }
      apps.set(id, sum);
    }
    return apps;
  }

  /** Bytes that an app has in the outbox. */
  keptBytes(appId: string): KeptBytes {
    return this.#parts.outbox.bytesOf(appId);
  }

  get #outlives(): boolean {
    return this.#parts.outbox.epoch === undefined;
  }

  #hooks(): Hook[] {
    return [...this.#parts.apps.all()].flatMap(({ hooks }) => hooks);
  }
}

/** A monotonic clock that starts at the present time of the other one. */
function steadyClock(now: () => number): () => number {
  const origin = now() - performance.now();
  return () => origin + performance.now();
}
