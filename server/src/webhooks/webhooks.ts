import type { Logger } from 'pino';
import type { AppStore } from '../apps/app.ts';
import type { Hook, HookKey } from '../apps/hook.ts';
import { callableAddresses } from '../config/callable-addresses.ts';
import type { Config } from '../config/config.ts';
import type { SigningKey } from '../data/signing-key.ts';
import type { Metrics } from '../metrics.ts';
import { OutboundClient } from '../outbound/http-client.ts';
import { Dispatcher } from './delivery/dispatcher.ts';
import { newEvent } from './event.ts';
import type { Delivery, DeliveryState, EventPage, HookState, Outbox, Which } from './outbox/outbox.ts';
import { Overflow } from './outbox/overflow.ts';
import type { PresenceSource } from './pending-removals.ts';
import { Recorder } from './recorder.ts';

/** The moments at which a test may end the process. */
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
  /** Knows who is there where not everything that happens is heard of, or not in its order. */
  readonly presence?: PresenceSource | undefined;
}

/** What an app can see of its webhooks, and do to them. */
export interface WebhookControl {
  statusOf(hook: HookKey): Promise<HookStatus>;
  /** Deliveries of one hook in one state, the oldest first, those with a higher `n` than `after` only. */
  deliveries(hook: HookKey, state: DeliveryState, after: number, limit: number): Promise<readonly Delivery[]>;
  /** Has deliveries sent at once, dead letters too. @returns how many */
  retry(hook: HookKey, which: Which): Promise<number>;
  /** Gives deliveries up for good. @returns how many */
  skip(hook: HookKey, which: Which): Promise<number>;
  /** Keeps what the hook has to deliver until it is resumed. */
  pause(hook: HookKey): Promise<void>;
  /** Goes on after a pause, or after the receiver was gone. */
  resume(hook: HookKey): Promise<void>;
  /** Sends the hook an event that tells nothing. @returns its id; `undefined` if there is no such hook */
  test(hook: HookKey): Promise<string | undefined>;
  /** Committed events of an app, for a receiver that compares. */
  events(appId: string, afterSeq: number, limit: number): Promise<EventPage>;
}

/** How a hook stands. */
export interface HookStatus {
  readonly state: HookState;
  readonly deliveries: Readonly<Record<DeliveryState, number>>;
}

const ATTEMPT_TIMEOUT_MS = 4000;
const SWEEP_MS = 10_000;
const TEST_LANE = '#test';

/** Tells backends what happens, and lets them see and mend what they were told. */
export class Webhooks implements WebhookControl {
  readonly #parts: WebhooksParts;
  readonly #recorder: Recorder;
  readonly #dispatcher: Dispatcher;
  #sweep: NodeJS.Timeout | undefined;

  constructor(parts: WebhooksParts) {
    const { config, apps, outbox, signingKey, metrics, log, now, onStep, presence } = parts;
    this.#parts = parts;
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
      log,
      now: steadyClock(now),
      wallClock: now,
      random: Math.random,
      retryMs: config.webhookRetrySeconds * 1000,
      onStep,
    });
    outbox.attach(new Overflow({ metrics, log, next: this.#dispatcher }));
  }

  get control(): WebhookControl {
    return this;
  }

  /** Is told what happens. */
  get journal(): Recorder {
    return this.#recorder;
  }

  /**
   * Begins to deliver, and to wait for those who were there when the last process ended.
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
      outbox.sweep(before, new Set(this.#hooks().map(({ key }) => key))).catch((error: unknown) => {
        log.error({ err: error }, 'old webhook events could not be forgotten');
      });
    }, SWEEP_MS).unref();
  }

  /** Takes over the hooks that a reload brought. */
  reload(): void {
    this.#dispatcher.update(this.#hooks());
  }

  /** Where the outbox outlives the process, those who leave from now on may come back to the next one. */
  handOver(): void {
    if (this.#outlives) this.#recorder.close();
  }

  /**
   * Delivers what waits, as far as that is possible in time; nothing happens any more. What fails is tried again only
   * where nobody else will: an outbox that outlives the process has it for the next one.
   *
   * @param deadline as `performance.now()` counts
   */
  async drain(deadline: number): Promise<void> {
    if (!this.#outlives) await this.#recorder.end();
    // What happened last is committed behind all that came before.
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

  /** Number of deliveries that are neither delivered nor given up. */
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

/** A clock that tells the time of the other one as it is now, and goes on evenly whatever that is set to. */
function steadyClock(now: () => number): () => number {
  const origin = now() - performance.now();
  return () => origin + performance.now();
}
