import { setTimeout as delay } from 'node:timers/promises';
import type { AppStore } from '../../apps/app.ts';
import type { Hook, HookKey } from '../../apps/hook.ts';
import { backoffMs } from '../../async/backoff.ts';
import { RunningWork } from '../../async/running-work.ts';
import { OutageLog } from '../../log/outage-log.ts';
import type { OutboxListener } from '../outbox/outbox.ts';
import type { Sent } from './circuit-breaker.ts';
import { Courier, type CourierParts, MAX_RETRY_AFTER_MS, type Next } from './courier.ts';
import { HookQueues } from './hook-queues.ts';
import type { Lane } from './lane.ts';
import { EndpointQueues } from './receivers.ts';

export interface DispatcherParts extends CourierParts {
  readonly apps: AppStore;
}

/** The longest delay of Node's timers. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Sends deliveries to their receivers, each lane in order, until they are accepted or given up. */
export class Dispatcher implements Omit<OutboxListener, 'dropped'> {
  readonly #parts: DispatcherParts;
  readonly #hooks = new Map<HookKey, HookQueues>();
  readonly #courier: Courier;
  readonly #receivers: EndpointQueues;
  /** Work in progress, which the end waits for. */
  readonly #work = new RunningWork();
  /** One for all lanes, since they all meet the same failure. */
  readonly #outage: OutageLog;
  #draining = false;
  #closed = false;

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
    const { random, log } = parts;
    this.#courier = new Courier(parts);
    this.#outage = new OutageLog(
      log,
      'webhook deliveries could not be committed',
      'webhook deliveries are committed again',
    );
    this.#receivers = new EndpointQueues({ send: (lane) => this.#work.track(this.#send(lane)), random, log });
  }

  /** Sets the configured hooks, and starts to deliver for the new ones. */
  update(hooks: Iterable<Hook>): void {
    const standing = new Map(Array.from(hooks, (hook) => [hook.key, hook] as const));
    for (const [key, queues] of this.#hooks) {
      if (standing.has(key)) continue;
      queues.stop();
      this.#hooks.delete(key);
    }
    for (const [key, hook] of standing) {
      const queues = this.#hooks.get(key);
      if (queues) queues.hook = hook;
      else this.#hooks.set(key, new HookQueues(hook));
      if (!queues) this.refresh(key);
    }
    for (const lane of this.#receivers.keep(standing.values())) this.#enqueue(lane);
  }

  /** Queries again what a hook has to deliver, because it was changed from outside. */
  refresh(key: HookKey): void {
    void this.#work.track(this.#look(key));
  }

  appended(key: HookKey, name: string, dueAt: number): void {
    const queues = this.#hooks.get(key);
    if (!queues) return;
    queues.pruning?.add(name);
    const lane = queues.open(name);
    switch (lane.state) {
      case 'busy':
        lane.hasNews = true;
        return;
      case 'idle':
        lane.gathered = 1;
        return queues.hook.maxEvents > 1 && !this.#draining
          ? this.#schedule(lane, dueAt, 'gathering')
          : this.#enqueue(lane);
      case 'gathering':
        lane.gathered += 1;
        if (lane.gathered >= queues.hook.maxEvents) this.#enqueue(lane);
    }
  }

  reopened(): void {
    for (const key of this.#hooks.keys()) this.refresh(key);
  }

  overflowed(key: HookKey): void {
    const queues = this.#hooks.get(key);
    if (!queues || queues.pruning) return;
    const { pending, failing } = this.#parts.outbox.deliveries.counts(key);
    if (queues.lanes.size > 2 * (pending + failing)) void this.#work.track(this.#prune(queues));
  }

  /**
   * Delivers what waits, and begins nothing any more after that.
   *
   * @param deadline after which what is under way is cut off, as `performance.now()` counts
   * @param patience whether to wait for the next attempts of what fails, too
   */
  async drain(deadline: number, patience: boolean): Promise<void> {
    this.#draining = true;
    for (const lane of this.#lanes()) if (lane.state === 'gathering') this.#enqueue(lane);
    const ending = new AbortController();
    const over = delay(deadline - performance.now(), 'over', { signal: ending.signal }).catch(() => 'over');
    for (;;) {
      if ((await Promise.race([this.#work.ended(), over])) === 'over') break;
      if (!patience || this.#lanes().next().done) break;
      if ((await Promise.race([this.#work.begun(), over])) === 'over') break;
    }
    ending.abort();
    this.#stop();
    this.#parts.transport.cutOff();
    await this.close();
  }

  /** Begins no request any more, and waits for those in flight. */
  async close(): Promise<void> {
    this.#stop();
    await this.#work.ended();
    this.#parts.transport.close();
  }

  #stop(): void {
    this.#closed = true;
    this.#receivers.close();
    for (const queues of this.#hooks.values()) queues.stop();
  }

  *#lanes(): Generator<Lane> {
    for (const { lanes } of this.#hooks.values()) yield* lanes.values();
  }

  /** Finds the lanes of a hook in which something waits; after a failure it looks again, until the hook or all is gone. */
  async #look(key: HookKey): Promise<void> {
    const { outbox, log, random } = this.#parts;
    try {
      const found = await outbox.deliveries.lanes(key);
      const queues = this.#hooks.get(key);
      if (!queues) return;
      for (const { name, dueAt } of found) {
        const lane = queues.open(name);
        if (lane.state === 'busy') lane.hasNews = true;
        else if (lane.state !== 'queued') this.#schedule(lane, dueAt);
      }
    } catch (error) {
      const queues = this.#hooks.get(key);
      if (!queues || this.#closed) return;
      log.error(
        { err: error, appId: queues.hook.appId, hook: queues.hook.id },
        'webhook deliveries could not be read',
      );
      queues.lookLater(backoffMs(4, random()), () => this.refresh(key));
    }
  }

  /** Forgets lanes that have lost all they had to dead letters. */
  async #prune(queues: HookQueues): Promise<void> {
    const { hook, lanes } = queues;
    const appended = new Set<string>();
    queues.pruning = appended;
    try {
      const names = new Set((await this.#parts.outbox.deliveries.lanes(hook.key)).map(({ name }) => name));
      for (const lane of lanes.values()) {
        if (lane.state === 'busy' || names.has(lane.name) || appended.has(lane.name)) continue;
        this.#receivers.remove(lane);
        this.#forget(lane);
      }
    } catch {
      // The next overflow tries again.
    } finally {
      queues.pruning = undefined;
    }
  }

  #schedule(lane: Lane, dueAt: number, state: 'gathering' | 'resting' = 'resting'): void {
    const left = this.#left(dueAt);
    const delay = state === 'gathering' ? Math.min(left, lane.hook().maxDelayMs) : left;
    if (delay > 0 && !this.#closed) lane.wait(state, delay, () => this.#enqueue(lane));
    else this.#enqueue(lane);
  }

  /** Milliseconds until a due time, which was computed by a clock that may have been set since: no pause is as long as that. */
  #left(dueAt: number): number {
    const left = dueAt - this.#parts.now();
    return left > MAX_RETRY_AFTER_MS ? 0 : left;
  }

  #enqueue(lane: Lane): void {
    lane.stop();
    if (this.#closed) return;
    lane.state = 'queued';
    this.#receivers.enqueue(lane);
    if (lane.state !== 'queued' || lane.endsAt === undefined) return;
    // The queue of a failing receiver may not reach it in time.
    const left = lane.endsAt - this.#parts.now();
    if (left > 0) return lane.wait('queued', Math.min(left, MAX_TIMER_MS), () => this.#enqueue(lane));
    this.#receivers.remove(lane);
    void this.#work.track(this.#send(lane));
  }

  async #send(lane: Lane): Promise<Sent> {
    lane.stop();
    lane.state = 'busy';
    lane.hasNews = false;
    const { apps, outbox } = this.#parts;
    try {
      const { key, maxEvents } = lane.hook();
      const delivery = await outbox.deliveries.head(key, lane.name, maxEvents);
      const hook = lane.hook();
      const app = apps.byId(hook.appId);
      if (!app || this.#closed || !this.#isConfigured(lane) || outbox.stateOf(hook.key) !== 'active') {
        this.#forget(lane);
      } else if (!delivery) {
        this.#finish(lane);
      } else if (delivery.state === 'failing' && this.#left(delivery.dueAt) > 0) {
        this.#schedule(lane, delivery.dueAt);
      } else {
        const { sent, committed } = await this.#courier.deliver(app, hook, delivery);
        void this.#work.track(this.#settle(lane, committed));
        return sent;
      }
    } catch (error) {
      this.#retryLater(lane, error);
    }
    return { result: 'nothing' };
  }

  async #settle(lane: Lane, committed: Promise<Next>): Promise<void> {
    try {
      const next = await committed;
      this.#outage.succeeded();
      if (next === 'stop') return this.#forget(lane);
      if (next === 'go on') {
        lane.failures = 0;
        lane.endsAt = undefined;
        this.#enqueue(lane);
      } else {
        lane.failures += 1;
        lane.endsAt = next.endsAt;
        this.#schedule(lane, next.dueAt);
      }
    } catch (error) {
      this.#retryLater(lane, error);
    }
  }

  #finish(lane: Lane): void {
    if (lane.hasNews) this.#enqueue(lane);
    else this.#forget(lane);
  }

  /** Forgets a lane until something is appended, or {@link refresh} finds what is left. */
  #forget(lane: Lane): void {
    lane.stop();
    if (this.#isConfigured(lane)) this.#hooks.get(lane.hook().key)?.lanes.delete(lane.name);
  }

  /** Whether its hook is still configured. */
  #isConfigured(lane: Lane): boolean {
    return this.#hooks.get(lane.hook().key)?.lanes.get(lane.name) === lane;
  }

  /** The outbox failed: what it did not commit is done again after a pause. */
  #retryLater(lane: Lane, error: unknown): void {
    const { now, random } = this.#parts;
    const { appId, id } = lane.hook();
    this.#outage.failed(error, { appId, hook: id });
    this.#schedule(lane, now() + backoffMs(4, random()));
  }
}
