import type { Logger } from 'pino';
import type { Journal } from '../adapter/journal.ts';
import type { App, AppStore } from '../apps/app.ts';
import type { Hook } from '../apps/hook.ts';
import type { Config } from '../config.ts';
import type { Metrics } from '../hub/metrics.ts';
import { isLoopback } from '../loopback.ts';
import { Dispatcher } from './dispatcher.ts';
import { newEvent } from './event.ts';
import type { Delivery, DeliveryState, EventPage, HookState, Outbox, Which } from './outbox.ts';
import { Recorder } from './recorder.ts';
import { Transport } from './transport.ts';

/** The moments at which a test may end the process. */
export type WebhookStep = 'beforeWrite' | 'afterWrite' | 'afterSend' | 'beforeAcknowledge';

export interface WebhooksParts {
  readonly config: Config;
  readonly apps: AppStore;
  readonly outbox: Outbox;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
  readonly onStep?: ((step: WebhookStep) => void) | undefined;
}

/** How a hook stands. */
export interface HookStatus {
  readonly hook: Hook;
  readonly state: HookState;
  readonly deliveries: Readonly<Record<DeliveryState, number>>;
}

const ATTEMPT_TIMEOUT_MS = 4000;
const SWEEP_MS = 10_000;
const TEST_LANE = '#test';

/** Tells backends what happens, and lets them see and mend what they were told. */
export class Webhooks {
  readonly #parts: WebhooksParts;
  readonly #recorder: Recorder;
  readonly #dispatcher: Dispatcher;
  #sweep: NodeJS.Timeout | undefined;

  constructor(parts: WebhooksParts) {
    const { config, apps, outbox, metrics, log, now, onStep } = parts;
    this.#parts = parts;
    this.#recorder = new Recorder({
      apps,
      outbox,
      log,
      now,
      graceMs: config.webhookGraceSeconds * 1000,
      restartGraceMs: config.webhookRestartGraceSeconds * 1000,
    });
    this.#dispatcher = new Dispatcher({
      apps,
      outbox,
      transport: new Transport({ addresses: addressesOf(config), timeoutMs: ATTEMPT_TIMEOUT_MS, now }),
      metrics,
      log,
      now,
      random: Math.random,
      retryMs: config.webhookRetrySeconds * 1000,
      onStep,
    });
    outbox.attach(this.#dispatcher);
  }

  /** Is told what happens. */
  get journal(): Journal {
    return this.#recorder;
  }

  /** Begins to deliver, and to wait for those who were there when the last process ended. */
  start(): void {
    const { outbox, config, log, now } = this.#parts;
    const hooks = this.#hooks();
    if (outbox.epoch !== undefined && hooks.length > 0) {
      log.warn(
        'webhooks are kept in memory: what is not delivered when the broker ends is lost; "data" keeps it on disk',
      );
    }
    this.#recorder.start();
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

  /** Tells of no removal any more: those who leave from now on may come back to the next process. */
  handOver(): void {
    this.#recorder.close();
  }

  /** Ends: what is not delivered stays in the outbox. */
  async close(): Promise<void> {
    clearInterval(this.#sweep);
    this.#recorder.close();
    await this.#dispatcher.close();
    await this.#parts.outbox.close();
  }

  statusOf(hook: Hook): HookStatus {
    const { outbox } = this.#parts;
    return { hook, state: outbox.stateOf(hook.key), deliveries: outbox.deliveries.counts(hook.key) };
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

  /** Deliveries of one hook in one state, the oldest first, those with a higher `n` than `after` only. */
  deliveries(hook: Hook, state: DeliveryState, after: number, limit: number): readonly Delivery[] {
    return this.#parts.outbox.deliveries.list(hook.key, state, after, limit);
  }

  /** Has deliveries sent at once, dead letters too. @returns how many */
  async retry({ key }: Hook, which: Which): Promise<number> {
    const count = await this.#parts.outbox.deliveries.retry(key, which);
    this.#dispatcher.refresh(key);
    return count;
  }

  /** Gives deliveries up for good. @returns how many */
  async skip({ key }: Hook, which: Which): Promise<number> {
    const count = await this.#parts.outbox.deliveries.skip(key, which);
    this.#dispatcher.refresh(key);
    return count;
  }

  /** Keeps what the hook has to deliver until it is resumed. */
  async pause({ key }: Hook): Promise<void> {
    await this.#parts.outbox.setState(key, 'paused');
  }

  /** Goes on after a pause, or after the receiver was gone. */
  async resume({ key }: Hook): Promise<void> {
    await this.#parts.outbox.setState(key, 'active');
    this.#dispatcher.refresh(key);
  }

  /** Sends the hook an event that tells nothing. @returns its id */
  async test(hook: Hook): Promise<string> {
    const event = newEvent(this.#parts.now(), 'test');
    await this.#parts.outbox.append([{ appId: hook.appId, event, lane: TEST_LANE, hooks: [hook] }]);
    return event.id;
  }

  /** Committed events of an app, for a receiver that compares. */
  events(app: App, afterSeq: number, limit: number): EventPage {
    return this.#parts.outbox.events(app.id, afterSeq, limit);
  }

  #hooks(): Hook[] {
    return [...this.#parts.apps.all()].flatMap(({ hooks }) => hooks);
  }
}

/** Whoever listens on loopback tries things out, and has his receivers there. */
function addressesOf({ webhookAddresses, host }: Config): 'public' | 'any' {
  return webhookAddresses ?? (isLoopback(host) ? 'any' : 'public');
}
