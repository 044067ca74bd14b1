import { Unavailable } from '../../../errors.ts';
import type {
  Counts,
  Joined,
  JoinOptions,
  Left,
  Roster,
  Seat,
  SeatedConnection,
  Snapshot,
} from '../../adapter.ts';
import { type Topic, topicOf, userTopicOf } from '../../topic.ts';
import { scripts } from '../scripts.ts';
import { readKept, readSeats, replies } from './replies.ts';
import { SeatTaker, type SeatTakerParts } from './seat-taker.ts';

/** Who holds a seat in which topic, on all nodes. */
export class RedisRoster implements Roster {
  readonly #parts: SeatTakerParts;
  readonly #taker: SeatTaker;

  constructor(parts: SeatTakerParts) {
    this.#parts = parts;
    this.#taker = new SeatTaker(parts);
  }

  async join(topic: Topic, seat: Seat, options: JoinOptions = {}): Promise<Joined | 'full' | 'queued'> {
    const { seats, held } = this.#parts;
    const taker = this.#taker;
    const { member } = options;
    const local = seats.open(topic, () => held.note('topics', topic));
    local.joining += 1;
    try {
      const nodeId = await taker.nodeIdOf(local);
      if (!(await this.#parts.knowsRevoked()))
        throw new Unavailable('Redis: what was revoked has not been read yet');
      const joined = await taker.take(topic, nodeId, seat, options);
      if (joined === 'full') return 'full';
      local.seats.set(seat.socketId, { seat, member });
      // The node may have joined again meanwhile, before it knew of this seat.
      const nodeIdNow = await taker.nodeIdOf(local);
      if (nodeIdNow !== nodeId) await taker.take(topic, nodeIdNow, seat, { member });
      return joined;
    } catch (error) {
      if (!options.mayBeLate || !(error instanceof Unavailable)) throw error;
      local.seats.set(seat.socketId, { seat, member });
      taker.queue(topic);
      return 'queued';
    } finally {
      local.joining -= 1;
      this.#closeIfEmpty(topic);
    }
  }

  async leave(topic: Topic, socketId: string, reason?: string): Promise<Left | undefined> {
    const local = this.#parts.seats.get(topic);
    local?.seats.delete(socketId);
    // Joins that were asked for before come first.
    await local?.nodeId.catch(() => {});
    const answer = replies.leave.parse(await this.#run(scripts.leave, topic, socketId));
    // A join that was asked for just before may have added it only now.
    local?.seats.delete(socketId);
    this.#closeIfEmpty(topic);
    if (!answer) return undefined;
    const [version, subscriptions, change] = answer;
    this.#parts.recorder.recordChanges(topic, version, [{ kind: 'left', ...change, reason }]);
    return { version, subscriptions, vacated: change.vacated, memberRemoved: change.memberRemoved };
  }

  async snapshot(topic: Topic): Promise<Snapshot> {
    const answer = replies.snapshot.parse(await this.#run(scripts.snapshot, topic));
    const [version, subscriptions, members, kept, keptMs] = answer;
    return { version, subscriptions, members, last: readKept(topic, kept, keptMs) };
  }

  async seats(topic: Topic): Promise<readonly Seat[]> {
    return readSeats(await this.#run(scripts.seats, topic));
  }

  async counts(topic: Topic): Promise<Counts> {
    return replies.counts.parse(await this.#run(scripts.counts, topic));
  }

  async channels(appId: string, prefix: string): Promise<ReadonlyMap<string, Counts>> {
    const found = new Map<string, Counts>();
    for await (const names of this.#parts.index.pages(appId, 'channels', { prefix })) {
      const counts = await Promise.all(names.map((name) => this.#countsIfOccupied(topicOf(appId, name))));
      names.forEach((name, index) => {
        const count = counts[index];
        if (count) found.set(name, count);
      });
    }
    return found;
  }

  async users(appId: string, after: string, limit: number): Promise<readonly string[]> {
    const ids: string[] = [];
    for await (const names of this.#parts.index.pages(appId, 'users', { after })) {
      const online = await Promise.all(names.map((id) => this.#countsIfOccupied(userTopicOf(appId, id))));
      ids.push(...names.filter((_, index) => online[index]));
      if (ids.length >= limit) break;
    }
    return ids.slice(0, limit);
  }

  async connections(appId: string, userId: string): Promise<readonly SeatedConnection[]> {
    const seats = await this.seats(userTopicOf(appId, userId));
    if (seats.length === 0) return [];
    const channels = seats.map((): string[] => []);
    for await (const names of this.#parts.index.pages(appId, 'channels', {})) {
      const found = await Promise.all(names.map((name) => this.#haveSeats(topicOf(appId, name), seats)));
      names.forEach((name, index) => {
        for (const [seat, isThere] of (found[index] ?? []).entries()) if (isThere) channels[seat]?.push(name);
      });
    }
    return seats.map((seat, index) => ({ seat, channels: channels[index] ?? [] }));
  }

  /** Takes all seats of this node again, under its present id. */
  retakeAll(): Promise<void> {
    return this.#taker.retakeAll();
  }

  /** Takes the seats that could not be taken when they were asked for. */
  takeQueued(): Promise<void> {
    return this.#taker.takeQueued();
  }

  /** The index may be outdated: the topic decides, and the index is corrected. */
  async #countsIfOccupied(topic: Topic): Promise<Counts | undefined> {
    const counts = await this.counts(topic);
    if (counts.subscriptions > 0) return counts;
    await this.#parts.index.note(topic, false, counts.version);
    return undefined;
  }

  async #haveSeats(topic: Topic, seats: readonly Seat[]): Promise<readonly boolean[]> {
    const { commands, keys } = this.#parts;
    const socketIds = seats.map(({ socketId }) => socketId);
    return replies.flags.parse(await commands.run(scripts.hasSeats, keys.topic(topic), ...socketIds));
  }

  #closeIfEmpty(topic: Topic): void {
    const { seats, held, log } = this.#parts;
    const local = seats.get(topic);
    if (!local || !seats.closeIfEmpty(topic, local)) return;
    this.#taker.unqueue(topic);
    held.forget('topics', topic).catch((error: unknown) => {
      log.debug({ err: error, topic }, 'held topic not forgotten; will be when the node ends');
    });
  }

  #run(script: (typeof scripts)[keyof typeof scripts], topic: Topic, ...args: string[]): Promise<unknown> {
    return this.#parts.commands.run(script, this.#parts.keys.topic(topic), ...args);
  }
}
