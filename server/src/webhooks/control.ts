import type { Hook, HookKey } from '../apps/hook.ts';
import type { Dispatcher } from './delivery/dispatcher.ts';
import { newEvent } from './event.ts';
import type { HealthBook, HookHealth } from './health/health.ts';
import type { Delivery, DeliveryState, EventPage, HookState, Outbox, Which } from './outbox/outbox.ts';
import type { Recorder } from './recorder.ts';

const TEST_LANE = '#test';

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

/** What apps can do with the webhooks in an outbox of this process. */
export class OutboxControl implements WebhookControl {
  readonly #outbox: Outbox;
  readonly #recorder: Recorder;
  readonly #dispatcher: Dispatcher;
  readonly #health: HealthBook;
  readonly #hooks: () => readonly Hook[];
  readonly #now: () => number;

  constructor(parts: {
    readonly outbox: Outbox;
    readonly recorder: Recorder;
    readonly dispatcher: Dispatcher;
    readonly health: HealthBook;
    /** All configured hooks. */
    readonly hooks: () => readonly Hook[];
    /** Unix milliseconds. */
    readonly now: () => number;
  }) {
    this.#outbox = parts.outbox;
    this.#recorder = parts.recorder;
    this.#dispatcher = parts.dispatcher;
    this.#health = parts.health;
    this.#hooks = parts.hooks;
    this.#now = parts.now;
  }

  async statusOf(hook: HookKey): Promise<HookStatus> {
    return { state: this.#outbox.stateOf(hook), deliveries: this.#outbox.deliveries.counts(hook) };
  }

  async health(hook: HookKey): Promise<HookHealth> {
    return this.#health.of(hook);
  }

  async deliveries(
    hook: HookKey,
    state: DeliveryState,
    after: number,
    limit: number,
  ): Promise<readonly Delivery[]> {
    return this.#outbox.deliveries.list(hook, state, after, limit);
  }

  async retry(hook: HookKey, which: Which): Promise<number> {
    const count = await this.#outbox.deliveries.retry(hook, which);
    this.#dispatcher.refresh(hook);
    return count;
  }

  async skip(hook: HookKey, which: Which): Promise<number> {
    const count = await this.#outbox.deliveries.skip(hook, which);
    this.#dispatcher.refresh(hook);
    return count;
  }

  async pause(hook: HookKey): Promise<void> {
    await this.#outbox.setState(hook, 'paused');
  }

  async resume(hook: HookKey): Promise<void> {
    await this.#outbox.setState(hook, 'active');
    this.#dispatcher.refresh(hook);
  }

  async test(key: HookKey): Promise<string | undefined> {
    const hook = this.#hooks().find((each) => each.key === key);
    if (!hook) return undefined;
    const event = newEvent(this.#now(), 'test', '');
    await this.#outbox.append([{ appId: hook.appId, event, lane: TEST_LANE, hooks: [hook] }]);
    return event.id;
  }

  async forgetApp(appId: string): Promise<void> {
    this.#recorder.forgetApp(appId);
    await this.#outbox.forgetApp?.(appId);
  }

  events(appId: string, afterSeq: number, limit: number): Promise<EventPage> {
    return this.#outbox.events(appId, afterSeq, limit);
  }
}
