import { randomBytes } from 'node:crypto';
import type { HookKey } from '../../../apps/hook.ts';
import { committedEvent } from '../../event.ts';
import type {
  Announced,
  Change,
  EventPage,
  HookState,
  KeptBytes,
  Outbox,
  OutboxBounds,
  OutboxListener,
} from '../outbox.ts';
import { MemoryDeliveries } from './deliveries.ts';
import { MemoryLog } from './log.ts';

export interface MemoryOutboxParts extends OutboxBounds {
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
}

/** An outbox in memory. What was not delivered is lost with the process. */
export class MemoryOutbox implements Outbox {
  readonly epoch = randomBytes(8).toString('hex');
  readonly deliveries: MemoryDeliveries;
  readonly #now: () => number;
  readonly #log: MemoryLog;
  readonly #states = new Map<HookKey, HookState>();
  #listener: OutboxListener | undefined;

  constructor({ now, ...bounds }: MemoryOutboxParts) {
    const { maxLogEvents: maxCount, maxBytes, maxTotalBytes } = bounds;
    this.#now = now;
    this.#log = new MemoryLog({ maxCount, maxBytes, maxTotalBytes }, (appId) =>
      this.#listener?.dropped(appId, 'event', 1),
    );
    const listener: Pick<OutboxListener, 'overflowed' | 'dropped'> = {
      overflowed: (...news) => this.#listener?.overflowed(...news),
      dropped: (...news) => this.#listener?.dropped(...news),
    };
    this.deliveries = new MemoryDeliveries({ id: this.epoch, now, bounds, listener });
  }

  attach(listener: OutboxListener): void {
    this.#listener = listener;
  }

  bytesOf(appId: string): KeptBytes {
    return { ...this.deliveries.bytesOf(appId), event: this.#log.bytesOf(appId) };
  }

  told(): readonly Announced[] {
    return [];
  }

  async append(changes: readonly Change[]): Promise<void> {
    for (const change of changes) this.#append(change);
  }

  async events(appId: string, afterSeq: number, limit: number): Promise<EventPage> {
    return this.#log.read(appId, afterSeq, limit);
  }

  stateOf(hook: HookKey): HookState {
    return this.#states.get(hook) ?? 'active';
  }

  async setState(hook: HookKey, state: HookState): Promise<void> {
    this.#states.set(hook, state);
  }

  async sweep(before: number, hooks: ReadonlySet<HookKey>): Promise<void> {
    this.#log.sweep(before);
    this.deliveries.sweep(before, hooks);
  }

  async close(): Promise<void> {}

  #append({ appId, event, lane, hooks }: Change): void {
    if (!event) return;
    const committedAt = this.#now();
    const body = committedEvent(event, this.#log.nextSeq(appId), this.epoch);
    this.#log.append(appId, body, committedAt);
    for (const hook of hooks) {
      const dueAt = this.deliveries.insert(hook, lane, body, committedAt);
      this.#listener?.appended(hook.key, lane, dueAt);
      this.deliveries.overflow(hook.key);
    }
  }
}
