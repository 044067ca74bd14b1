import {
  appOfTopic,
  type Block,
  type BusListener,
  type Command,
  channelOfTopic,
  type EventMessage,
  type Evicted,
  type JoinOptions,
  type LeaveReason,
  type Seat,
  type Topic,
  type Version,
} from '../adapter/adapter.ts';
import type { Happening } from '../adapter/journal.ts';
import type { MemoryAdapter } from '../adapter/memory/adapter.ts';
import type { AppStore } from '../apps/app.ts';
import type { HookKey } from '../apps/hook.ts';
import type { LocalCore } from '../core.ts';
import { type CountAnnouncer, tellsCount } from '../hub/counts.ts';
import { readChannel } from '../protocol/channel.ts';
import type { DeliveryState, Which } from '../webhooks/outbox.ts';
import type { Desk } from './desk.ts';
import type { Switchboard } from './switchboard.ts';

/** What all workers share. */
export interface Shared {
  readonly core: LocalCore<MemoryAdapter>;
  readonly apps: AppStore;
  readonly counts: CountAnnouncer;
  readonly switchboard: Switchboard;
  /** The metrics of all processes as one. */
  readonly metrics: () => Promise<string>;
}

/** A seat that a connection of a worker has taken. Whose it is, is not told with it. */
class HeldSeat implements Seat {
  readonly socketId: string;
  readonly since: number;
  readonly client: string;
  readonly address: string;
  readonly #holder: Lease;

  constructor({ socketId, since, client, address }: Seat, holder: Lease) {
    this.socketId = socketId;
    this.since = since;
    this.client = client;
    this.address = address;
    this.#holder = holder;
  }

  static isHeldBy(holder: Lease, seat: Seat): boolean {
    return #holder in seat && seat.#holder === holder;
  }
}

/**
 * What one worker has of that which all share, and the way in which it asks for it. When the worker is gone, however
 * it went, its seats are left and its places given back.
 */
export class Lease implements Desk {
  readonly #shared: Shared;
  readonly #worker: BusListener;
  /** Places that it holds, by their key. */
  readonly #places = new Map<string, number>();

  constructor(shared: Shared, worker: BusListener) {
    this.#shared = shared;
    this.#worker = worker;
    shared.switchboard.connect(worker);
  }

  /** Takes everything back, now that the worker is gone. */
  async end(): Promise<void> {
    const { adapter } = this.#shared.core;
    this.#shared.switchboard.disconnect(this.#worker);
    const held = [...adapter.roster.topics()].map(([topic, { seats }]) => {
      const mine = [...seats.values()].filter(({ seat }) => HeldSeat.isHeldBy(this, seat));
      return { topic, socketIds: mine.map(({ seat }) => seat.socketId) };
    });
    for (const { topic, socketIds } of held) await this.#leaveAll(topic, socketIds);
    for (const [key, places] of this.#places)
      for (let left = places; left > 0; left -= 1) await adapter.counters.release(key);
  }

  async listen(topic: Topic): Promise<void> {
    this.#shared.switchboard.listen(topic, this.#worker);
  }

  async ignore(topic: Topic): Promise<void> {
    this.#shared.switchboard.ignore(topic, this.#worker);
  }

  publish(message: EventMessage, keepSeconds?: number) {
    return this.#shared.core.adapter.bus.publish(message, keepSeconds);
  }

  publishCount(topic: Topic, count: number, version: Version) {
    return this.#shared.core.adapter.bus.publishCount(topic, count, version);
  }

  command(command: Command) {
    return this.#shared.core.adapter.bus.command(command);
  }

  join(topic: Topic, seat: Seat, options?: JoinOptions) {
    return this.#shared.core.adapter.roster.join(topic, new HeldSeat(seat, this), options);
  }

  leave(topic: Topic, socketId: string, reason?: LeaveReason) {
    return this.#shared.core.adapter.roster.leave(topic, socketId, reason);
  }

  evict(topic: Topic, who: Evicted, reason: string) {
    return this.#shared.core.adapter.roster.evict(topic, who, reason);
  }

  members(topic: Topic) {
    return this.#shared.core.adapter.roster.members(topic);
  }

  counts(topic: Topic) {
    return this.#shared.core.adapter.roster.counts(topic);
  }

  channels(appId: string, prefix: string) {
    return this.#shared.core.adapter.roster.channels(appId, prefix);
  }

  users(appId: string, after: string, limit: number) {
    return this.#shared.core.adapter.roster.users(appId, after, limit);
  }

  connections(appId: string, userId: string) {
    return this.#shared.core.adapter.roster.connections(appId, userId);
  }

  last(topic: Topic) {
    return this.#shared.core.adapter.history.last(topic);
  }

  hit(key: string, windowMs: number) {
    return this.#shared.core.adapter.counters.hit(key, windowMs);
  }

  async hold(key: string, limit: number): Promise<boolean> {
    const held = await this.#shared.core.adapter.counters.hold(key, limit);
    if (held) this.#places.set(key, (this.#places.get(key) ?? 0) + 1);
    return held;
  }

  async release(key: string): Promise<void> {
    const places = this.#places.get(key) ?? 0;
    if (places === 0) return;
    if (places > 1) this.#places.set(key, places - 1);
    else this.#places.delete(key);
    await this.#shared.core.adapter.counters.release(key);
  }

  add(block: Block) {
    return this.#shared.core.adapter.blocks.add(block);
  }

  find(appId: string, userId: string, channel?: string) {
    return this.#shared.core.adapter.blocks.find(appId, userId, channel);
  }

  statusOf(hook: HookKey) {
    return this.#shared.core.webhooks.statusOf(hook);
  }

  deliveries(hook: HookKey, state: DeliveryState, after: number, limit: number) {
    return this.#shared.core.webhooks.deliveries(hook, state, after, limit);
  }

  retry(hook: HookKey, which: Which) {
    return this.#shared.core.webhooks.retry(hook, which);
  }

  skip(hook: HookKey, which: Which) {
    return this.#shared.core.webhooks.skip(hook, which);
  }

  pause(hook: HookKey) {
    return this.#shared.core.webhooks.pause(hook);
  }

  resume(hook: HookKey) {
    return this.#shared.core.webhooks.resume(hook);
  }

  test(hook: HookKey) {
    return this.#shared.core.webhooks.test(hook);
  }

  events(appId: string, afterSeq: number, limit: number) {
    return this.#shared.core.webhooks.events(appId, afterSeq, limit);
  }

  async record(happenings: readonly Happening[]): Promise<void> {
    await this.#shared.core.journal.record(happenings);
  }

  metrics(): Promise<string> {
    return this.#shared.metrics();
  }

  async #leaveAll(topic: Topic, socketIds: readonly string[]): Promise<void> {
    const { core, apps, counts } = this.#shared;
    const left = await Promise.all(
      socketIds.map((socketId) => core.adapter.roster.leave(topic, socketId, 'disconnected')),
    );
    const last = left.at(-1);
    const app = apps.byId(appOfTopic(topic));
    const channel = readChannel(channelOfTopic(topic));
    if (last && app && channel && tellsCount(app, channel))
      counts.changed(topic, last.subscriptions, last.version);
  }
}
