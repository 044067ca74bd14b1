import type { Logger } from 'pino';
import type { AppStore } from '../apps/app.ts';
import type { Hook, HookKey } from '../apps/hook.ts';
import { callableAddresses } from '../config/callable-addresses.ts';
import type { Config } from '../config/config.ts';
import type { SigningKey } from '../data/signing-key.ts';
import type { Metrics } from '../metrics.ts';
import { OutboundClient } from '../outbound/http-client.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { Dispatcher } from './delivery/dispatcher.ts';
import { newEvent } from './event.ts';
import { HealthBook, type HookHealth } from './health/health.ts';
import type {
  Delivery,
  DeliveryState,
  EventPage,
  HookState,
  KeptBytes,
  Outbox,
  Which,
} from './outbox/outbox.ts';
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

/** What an app can see of its webhooks and do with them. */
export interface WebhookControl {
  statusOf(hook: HookKey): Promise<HookStatus>;
  /** What became of the last attempts, kept by the process that makes them. */
  health(hook: HookKey): Promise<HookHealth>;
  /** Deliveries of one hook in one state, the oldest first, those with a higher `n` than `after` only. */
  deliveries(hook: HookKey, state: DeliveryState, after: number, limit: number): Promise<readonly Delivery[]>;
  /** Sends deliveries at once, also dead letters. @returns how many */
  retry(hook: HookKey, which: Which): Promise<number>;
  /** Discards deliveries. @returns how many */
  skip(hook: HookKey, which: Which): Promise<number>;
  /** Pauses a hook, whose deliveries are kept until it is resumed. */
  pause(hook: HookKey): Promise<void>;
  /** Resumes a hook after a pause, or after its receiver was gone. */
  resume(hook: HookKey): Promise<void>;
  /** Sends a test event to the hook. @returns its id; `undefined` if there is no such hook */
  test(hook: HookKey): Promise<string | undefined>;
  /** Committed events of an app, for a receiver that compares them with its own. */
  events(appId: string, afterSeq: number, limit: number): Promise<EventPage>;
  /** Forgets what is kept of an app that is gone. */
  forgetApp(appId: string): Promise<void>;
}

/** The state of a hook. */
export interface HookStatus {
  readonly state: HookState;
  readonly deliveries: Readonly<Record<DeliveryState, number>>;
}

const ATTEMPT_TIMEOUT_MS = 4000;
const SWEEP_MS = 10_000;
const TEST_LANE = '#test';

/** Webhooks of one process: records events, delivers them, and lets apps inspect and repair the deliveries. */
export class Webhooks implements WebhookControl {
  readonly #parts: WebhooksParts;
  readonly #recorder: Recorder;
  readonly #dispatcher: Dispatcher;
  readonly #health: HealthBook;
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
  }

  get control(): WebhookControl {
    return this;
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

  async statusOf(hook: HookKey): Promise<HookStatus> {
    const { outbox } = this.#parts;
    return { state: outbox.stateOf(hook), deliveries: outbox.deliveries.counts(hook) };
  }

  async health(hook: HookKey): Promise<HookHealth> {
    return this.#health.of(hook);
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

  async deliveries(
    hook: HookKey,
    state: DeliveryState,
    after: number,
    limit: number,
  ): Promise<readonly Delivery[]> {
    return this.#parts.outbox.deliveries.list(hook, state, after, limit);
  }

  async retry(hook: HookKey, which: Which): Promise<number> {
    const count = await this.#parts.outbox.deliveries.retry(hook, which);
    this.#dispatcher.refresh(hook);
    return count;
  }

  async skip(hook: HookKey, which: Which): Promise<number> {
    const count = await this.#parts.outbox.deliveries.skip(hook, which);
    this.#dispatcher.refresh(hook);
    return count;
  }

  async pause(hook: HookKey): Promise<void> {
    await this.#parts.outbox.setState(hook, 'paused');
  }

  async resume(hook: HookKey): Promise<void> {
    await this.#parts.outbox.setState(hook, 'active');
    this.#dispatcher.refresh(hook);
  }

  async test(key: HookKey): Promise<string | undefined> {
    const hook = this.#hooks().find((each) => each.key === key);
    if (!hook) return undefined;
    const event = newEvent(this.#parts.now(), 'test', '');
    await this.#parts.outbox.append([{ appId: hook.appId, event, lane: TEST_LANE, hooks: [hook] }]);
    return event.id;
  }

  async forgetApp(appId: string): Promise<void> {
    this.#recorder.forgetApp(appId);
    await this.#parts.outbox.forgetApp?.(appId);
  }

  events(appId: string, afterSeq: number, limit: number): Promise<EventPage> {
    return this.#parts.outbox.events(appId, afterSeq, limit);
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
