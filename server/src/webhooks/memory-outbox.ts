import { randomBytes } from 'node:crypto';
import type { HookKey } from '../apps/hook.ts';
import { MemoryDeliveries } from './memory-deliveries.ts';
import type { Change, EventPage, HookState, Outbox, OutboxListener, Told } from './outbox.ts';

export interface MemoryOutboxParts {
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
  /** Deliveries of one hook that may wait, and as many dead letters and events of an app that are kept. */
  readonly maxPending: number;
}

/** The committed events of one app, the oldest first. */
interface Log {
  lastSeq: number;
  events: { readonly seq: number; readonly committedAt: number; readonly body: string }[];
}

/** An outbox that ends with the process, and with it what was not delivered. */
export class MemoryOutbox implements Outbox {
  readonly epoch = randomBytes(8).toString('hex');
  readonly deliveries: MemoryDeliveries;
  readonly #parts: MemoryOutboxParts;
  readonly #logs = new Map<string, Log>();
  readonly #states = new Map<HookKey, HookState>();
  #listener: OutboxListener | undefined;

  constructor(parts: MemoryOutboxParts) {
    this.#parts = parts;
    this.deliveries = new MemoryDeliveries(this.epoch, parts.now);
  }

  attach(listener: OutboxListener): void {
    this.#listener = listener;
  }

  told(): readonly Told[] {
    return [];
  }

  async append(changes: readonly Change[]): Promise<void> {
    for (const change of changes) this.#append(change);
  }

  async events(appId: string, afterSeq: number, limit: number): Promise<EventPage> {
    const { lastSeq, events } = this.#log(appId);
    const found = events.filter(({ seq }) => seq > afterSeq).slice(0, limit);
    return { events: found.map(({ body }) => body), lastSeq };
  }

  stateOf(hook: HookKey): HookState {
    return this.#states.get(hook) ?? 'active';
  }

  async setState(hook: HookKey, state: HookState): Promise<void> {
    this.#states.set(hook, state);
  }

  async sweep(before: number, hooks: ReadonlySet<HookKey>): Promise<void> {
    const { maxPending } = this.#parts;
    for (const log of this.#logs.values()) {
      const first = log.events.findIndex(({ committedAt }) => committedAt >= before);
      const kept = first < 0 ? [] : log.events.slice(first);
      log.events = kept.slice(-maxPending);
    }
    this.deliveries.sweep(before, hooks, maxPending);
  }

  async close(): Promise<void> {}

  #append({ appId, event, lane, hooks }: Change): void {
    if (!event) return;
    const { now, maxPending } = this.#parts;
    const committedAt = now();
    const log = this.#log(appId);
    log.lastSeq += 1;
    const body = JSON.stringify({ ...event, seq: log.lastSeq, epoch: this.epoch });
    log.events.push({ seq: log.lastSeq, committedAt, body });
    for (const hook of hooks) {
      const dueAt = this.deliveries.insert(hook, lane, body, committedAt);
      this.#listener?.appended(hook.key, lane, dueAt);
      const parked = this.deliveries.overflow(hook.key, maxPending);
      if (parked > 0) this.#listener?.overflowed(hook.key, parked);
    }
  }

  #log(appId: string): Log {
    let log = this.#logs.get(appId);
    if (!log) {
      log = { lastSeq: 0, events: [] };
      this.#logs.set(appId, log);
    }
    return log;
  }
}
