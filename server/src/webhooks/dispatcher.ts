import type { Logger } from 'pino';
import type { AppStore } from '../apps/app.ts';
import type { Hook, HookKey } from '../apps/hook.ts';
import { increment, type Metrics } from '../hub/metrics.ts';
import { backoffMs } from './backoff.ts';
import { seal } from './envelope.ts';
import { Lane } from './lane.ts';
import type { Delivery, Outbox, OutboxListener } from './outbox.ts';
import { Receiver, type Sent } from './receiver.ts';
import type { Answer, Transport } from './transport.ts';

export interface DispatcherParts {
  readonly apps: AppStore;
  readonly outbox: Outbox;
  readonly transport: Transport;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
  /** Milliseconds after the first attempt until which a delivery is tried again. */
  readonly retryMs: number;
  /** Is told when a request has left, and when it has arrived but the outbox does not know yet. */
  readonly onStep?: ((step: 'afterSend' | 'beforeAcknowledge') => void) | undefined;
}

/** One hook, and the lanes in which it has something to deliver. */
interface Desk {
  hook: Hook;
  readonly lanes: Map<string, Lane>;
}

/** How long a receiver may ask to be left alone. */
const MAX_RETRY_AFTER_MS = 3_600_000;
const GONE = 410;

/** Brings deliveries to their receivers, each lane in order, until they are taken or given up. */
export class Dispatcher implements OutboxListener {
  readonly #parts: DispatcherParts;
  readonly #desks = new Map<HookKey, Desk>();
  readonly #receivers = new Map<string, Receiver>();
  /** What is under way, for the end to wait for. */
  readonly #running = new Set<Promise<unknown>>();
  #closed = false;

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
  }

  /** Takes over the hooks that stand from now on, and begins with what they have to deliver. */
  update(hooks: Iterable<Hook>): void {
    const standing = new Map(Array.from(hooks, (hook) => [hook.key, hook] as const));
    for (const [key, { lanes }] of this.#desks) {
      if (standing.has(key)) continue;
      for (const lane of lanes.values()) lane.stop();
      this.#desks.delete(key);
    }
    for (const [key, hook] of standing) {
      const desk = this.#desks.get(key);
      if (desk) desk.hook = hook;
      else this.#desks.set(key, { hook, lanes: new Map() });
      if (!desk) this.refresh(key);
    }
    const urls = new Set(Array.from(standing.values(), ({ url }) => url));
    for (const [url, receiver] of this.#receivers) {
      if (urls.has(url)) continue;
      this.#receivers.delete(url);
      for (const lane of receiver.close()) this.#enqueue(lane);
    }
  }

  /** Looks again what a hook has to deliver: it was changed from outside. */
  refresh(key: HookKey): void {
    const desk = this.#desks.get(key);
    if (!desk) return;
    for (const { name, dueAt } of this.#parts.outbox.deliveries.lanes(key)) {
      const lane = this.#open(desk, name);
      if (lane.state === 'busy') lane.hasNews = true;
      else if (lane.state !== 'queued') this.#schedule(lane, dueAt);
    }
  }

  appended(key: HookKey, name: string, dueAt: number): void {
    const desk = this.#desks.get(key);
    if (!desk) return;
    const lane = this.#open(desk, name);
    switch (lane.state) {
      case 'busy':
        lane.hasNews = true;
        return;
      case 'idle':
        lane.gathered = 1;
        return desk.hook.maxEvents > 1 ? this.#schedule(lane, dueAt, 'gathering') : this.#enqueue(lane);
      case 'gathering':
        lane.gathered += 1;
        if (lane.gathered >= desk.hook.maxEvents) this.#enqueue(lane);
    }
  }

  overflowed(key: HookKey, count: number): void {
    const desk = this.#desks.get(key);
    if (!desk) return;
    const { hook, lanes } = desk;
    const { pending, failing } = this.#parts.outbox.deliveries.counts(key);
    if (lanes.size > 2 * (pending + failing)) this.#prune(desk);
    this.#parts.metrics.app(hook.appId).webhookDeadLetters += count;
    this.#parts.log.warn(
      { appId: hook.appId, hook: hook.id, deliveries: count },
      'webhook deliveries became dead letters: too many waited',
    );
  }

  /** Begins no request any more, and waits for those in flight. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const receiver of this.#receivers.values()) receiver.close();
    for (const { lanes } of this.#desks.values()) for (const lane of lanes.values()) lane.stop();
    while (this.#running.size > 0) await Promise.all(this.#running);
    this.#parts.transport.close();
  }

  /** Forgets lanes that have lost all they had to dead letters. */
  #prune({ hook, lanes }: Desk): void {
    const names = new Set(this.#parts.outbox.deliveries.lanes(hook.key).map(({ name }) => name));
    for (const lane of lanes.values()) {
      if (lane.state === 'busy' || names.has(lane.name)) continue;
      this.#receivers.get(hook.url)?.remove(lane);
      this.#forget(lane);
    }
  }

  #open(desk: Desk, name: string): Lane {
    let lane = desk.lanes.get(name);
    if (!lane) {
      lane = new Lane(name, () => desk.hook);
      desk.lanes.set(name, lane);
    }
    return lane;
  }

  #schedule(lane: Lane, dueAt: number, state: 'gathering' | 'resting' = 'resting'): void {
    const delay = dueAt - this.#parts.now();
    if (delay > 0 && !this.#closed) lane.wait(state, delay, () => this.#enqueue(lane));
    else this.#enqueue(lane);
  }

  #enqueue(lane: Lane): void {
    lane.stop();
    if (this.#closed) return;
    lane.state = 'queued';
    const { url } = lane.hook();
    let receiver = this.#receivers.get(url);
    if (!receiver) {
      receiver = new Receiver(url, {
        send: (each) => this.#track(this.#send(each)),
        random: this.#parts.random,
        turned: (_url, works) => this.#logTurn(lane.hook(), works),
      });
      this.#receivers.set(url, receiver);
    }
    receiver.enqueue(lane);
  }

  async #send(lane: Lane): Promise<Sent> {
    const { apps, outbox, transport, metrics, now, onStep } = this.#parts;
    const hook = lane.hook();
    const app = apps.byId(hook.appId);
    lane.state = 'busy';
    lane.hasNews = false;
    try {
      if (!app || this.#closed || !this.#stands(lane) || outbox.stateOf(hook.key) !== 'active') {
        this.#forget(lane);
        return 'nothing';
      }
      const delivery = await outbox.deliveries.head(hook.key, lane.name, hook.maxEvents);
      if (!delivery) {
        this.#finish(lane);
        return 'nothing';
      }
      const at = now();
      if (delivery.state === 'failing' && delivery.dueAt > at) {
        this.#schedule(lane, delivery.dueAt);
        return 'nothing';
      }
      const { headers, body } = seal(app, hook, delivery, at);
      const answer = await transport.post(hook.url, headers, body, () => onStep?.('afterSend'));
      increment(metrics.app(hook.appId).webhookAttempts, answer.outcome);
      void this.#track(this.#settle(lane, hook, delivery, at, answer));
      return answer.outcome === 'delivered' ? 'taken' : 'failed';
    } catch (error) {
      this.#rest(lane, hook, error);
      return 'nothing';
    }
  }

  /** Commits what became of an attempt. */
  async #settle(lane: Lane, hook: Hook, delivery: Delivery, at: number, answer: Answer): Promise<void> {
    const { outbox, onStep } = this.#parts;
    try {
      if (answer.outcome !== 'delivered') return await this.#fail(lane, hook, delivery, at, answer);
      onStep?.('beforeAcknowledge');
      await outbox.deliveries.acknowledge(delivery);
      this.#enqueue(lane);
    } catch (error) {
      this.#rest(lane, hook, error);
    }
  }

  async #fail(lane: Lane, hook: Hook, delivery: Delivery, at: number, answer: Answer): Promise<void> {
    const { outbox, metrics, log, now, random, retryMs } = this.#parts;
    const { status, text, outcome, retryAfterMs = 0 } = answer;
    const attempt = { at, status, answer: text };
    const ids = { appId: hook.appId, hook: hook.id, delivery: delivery.id, outcome, status };
    if (status === GONE) {
      await outbox.deliveries.fail(delivery, attempt, now());
      await outbox.setState(hook.key, 'disabled');
      log.warn(ids, 'webhook disabled: its receiver is gone');
      return this.#forget(lane);
    }
    const delay = Math.max(
      backoffMs(delivery.tries + 1, random()),
      Math.min(retryAfterMs, MAX_RETRY_AFTER_MS),
    );
    const dueAt = now() + delay;
    if (dueAt - (delivery.triedSince ?? at) > retryMs) {
      await outbox.deliveries.park(delivery, attempt);
      metrics.app(hook.appId).webhookDeadLetters += 1;
      log.warn(ids, 'webhook delivery became a dead letter: it was tried for too long');
      return this.#enqueue(lane);
    }
    await outbox.deliveries.fail(delivery, attempt, dueAt);
    log.info({ ...ids, retryInMs: Math.round(delay) }, 'webhook delivery failed');
    this.#schedule(lane, dueAt);
  }

  #finish(lane: Lane): void {
    if (lane.hasNews) this.#enqueue(lane);
    else this.#forget(lane);
  }

  /** Until something is appended, or {@link refresh} finds what is still there. */
  #forget(lane: Lane): void {
    lane.stop();
    if (this.#stands(lane)) this.#desks.get(lane.hook().key)?.lanes.delete(lane.name);
  }

  /** Whether its hook is still configured. */
  #stands(lane: Lane): boolean {
    return this.#desks.get(lane.hook().key)?.lanes.get(lane.name) === lane;
  }

  /** The outbox failed: what it did not take down happens again, after a while. */
  #rest(lane: Lane, hook: Hook, error: unknown): void {
    const { log, now, random } = this.#parts;
    log.error({ err: error, appId: hook.appId, hook: hook.id }, 'webhook delivery could not be committed');
    this.#schedule(lane, now() + backoffMs(4, random()));
  }

  #logTurn({ appId, url }: Hook, works: boolean): void {
    const { origin } = new URL(url);
    if (works) this.#parts.log.info({ appId, receiver: origin }, 'webhook receiver works again');
    else
      this.#parts.log.warn(
        { appId, receiver: origin },
        'webhook receiver fails: it is asked by one request at a time',
      );
  }

  #track<Result>(work: Promise<Result>): Promise<Result> {
    this.#running.add(work);
    const forget = () => this.#running.delete(work);
    work.then(forget, forget);
    return work;
  }
}
