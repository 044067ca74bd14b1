import type {
  BusListener,
  Command,
  EventMessage,
  Evicted,
  Joined,
  JoinOptions,
  LeaveReason,
  Left,
  Seat,
  Version,
} from '../adapter/adapter.ts';
import type { Block, BlockBounds } from '../adapter/blocks.ts';
import type { DomainEvent } from '../adapter/journal.ts';
import type { Topic } from '../adapter/topic.ts';
import type { HookKey } from '../apps/hook.ts';
import type { DeliveryState, Which } from '../webhooks/outbox/outbox.ts';
import type { ParentState } from './parent-state.ts';
import type { ParentApi } from './protocol.ts';

/**
 * What one worker has of that which all share, and the way in which it asks for it. When the worker is gone, however
 * it went, its seats are left and its places given back.
 */
export class WorkerSession implements ParentApi {
  readonly #shared: ParentState;
  readonly #worker: BusListener;
  readonly #metrics: () => Promise<string>;
  /** Places that it holds, by their key. */
  readonly #places = new Map<string, number>();
  #ended = false;

  /** @param metrics those of all processes as one */
  constructor(shared: ParentState, worker: BusListener, metrics: () => Promise<string>) {
    this.#shared = shared;
    this.#worker = worker;
    this.#metrics = metrics;
    shared.switchboard.connect(worker);
  }

  /** Takes everything back, now that the worker is gone. */
  async end(): Promise<void> {
    const { core, log, seats, switchboard } = this.#shared;
    this.#ended = true;
    const results = await Promise.allSettled([
      switchboard.disconnect(this.#worker),
      ...seats.clear(this).map(({ topic, socketIds }) => this.#leaveAll(topic, socketIds)),
      ...[...this.#places].flatMap(([key, places]) =>
        Array.from({ length: places }, () => core.adapter.counters.release(key)),
      ),
    ]);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) log.error({ err: failed.reason }, 'what a worker held is not all given back');
  }

  listen(topic: Topic) {
    return this.#shared.switchboard.listen(topic, this.#worker);
  }

  ignore(topic: Topic) {
    return this.#shared.switchboard.ignore(topic, this.#worker);
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

  async join(topic: Topic, seat: Seat, options?: JoinOptions): Promise<Joined | 'full' | 'queued'> {
    const { core, seats } = this.#shared;
    const { socketId } = seat;
    // Noted before it is known to be taken: to leave a seat that was not taken is harmless.
    seats.take(topic, socketId, { holder: this, userId: options?.member?.userId });
    const joined = await core.adapter.roster.join(topic, seat, options);
    if (joined === 'full') seats.giveUp(topic, socketId);
    else if (this.#ended) await core.adapter.roster.leave(topic, socketId, 'disconnected');
    return joined;
  }

  leave(topic: Topic, socketId: string, reason?: LeaveReason) {
    this.#shared.seats.giveUp(topic, socketId);
    return this.#shared.core.adapter.roster.leave(topic, socketId, reason);
  }

  evict(topic: Topic, who: Evicted, reason: string) {
    return this.#shared.core.adapter.roster.evict(topic, who, reason);
  }

  snapshot(topic: Topic) {
    return this.#shared.core.adapter.roster.snapshot(topic);
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
    return this.#shared.core.adapter.channelCache.last(topic);
  }

  hit(key: string, windowMs: number, by?: number) {
    return this.#shared.core.adapter.counters.hit(key, windowMs, by);
  }

  async hold(key: string, limit: number): Promise<boolean> {
    const held = await this.#shared.core.adapter.counters.hold(key, limit);
    if (held && this.#ended) await this.#shared.core.adapter.counters.release(key);
    else if (held) this.#places.set(key, (this.#places.get(key) ?? 0) + 1);
    return held;
  }

  async release(key: string): Promise<void> {
    const places = this.#places.get(key) ?? 0;
    if (places === 0) return;
    if (places > 1) this.#places.set(key, places - 1);
    else this.#places.delete(key);
    await this.#shared.core.adapter.counters.release(key);
  }

  add(block: Block, bounds: BlockBounds) {
    return this.#shared.core.adapter.blocks.add(block, bounds);
  }

  isKept(appId: string, userId: string, channel?: string) {
    return this.#shared.core.adapter.blocks.isKept(appId, userId, channel);
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

  async record(happenings: readonly DomainEvent[]): Promise<void> {
    await this.#shared.core.journal.record(happenings);
  }

  metrics(): Promise<string> {
    return this.#metrics();
  }

  /** That the worker is heard is all. */
  beat(): void {}

  async #leaveAll(topic: Topic, socketIds: readonly string[]): Promise<void> {
    const { core, counts } = this.#shared;
    let last: Left | undefined;
    for (const socketId of socketIds)
      last = (await core.adapter.roster.leave(topic, socketId, 'disconnected')) ?? last;
    if (last) counts.lapsed(topic, last);
  }
}
