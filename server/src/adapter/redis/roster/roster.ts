import type { Logger } from 'pino';
import { Unavailable } from '../../../errors.ts';
import type { ScriptRunner } from '../../../redis/script-runner.ts';
import type {
  Counts,
  Evicted,
  Joined,
  JoinOptions,
  Left,
  Roster,
  Seat,
  SeatedConnection,
  Snapshot,
} from '../../adapter.ts';
import { appOfTopic, type Topic, topicOf, userTopicOf } from '../../topic.ts';
import type { Keys } from '../keys.ts';
import type { HeldResources } from '../membership/held-resources.ts';
import type { NodeLease } from '../membership/node-lease.ts';
import { scripts } from '../scripts.ts';
import type { ChannelIndex } from './channel-index.ts';
import type { JournalRecorder } from './journal-recorder.ts';
import type { LocalSeats, LocalTopic } from './local-seats.ts';
import { readKept, readSeats, replies } from './replies.ts';

export interface RosterParts {
  readonly commands: ScriptRunner;
  readonly keys: Keys;
  readonly node: NodeLease;
  readonly marks: HeldResources;
  readonly seats: LocalSeats;
  readonly directory: ChannelIndex;
  readonly edges: JournalRecorder;
  readonly log: Logger;
  /** Who joined late has his seat now. */
  readonly onLate: (topic: Topic) => void;
}

/** Seats that are taken again at a time. */
const SLICE = 500;

/** Who sits where, on all nodes. */
export class RedisRoster implements Roster {
  readonly #parts: RosterParts;
  /** Topics with seats of this node that Redis does not know of yet. */
  readonly #late = new Set<Topic>();

  constructor(parts: RosterParts) {
    this.#parts = parts;
  }

  async join(topic: Topic, seat: Seat, options: JoinOptions = {}): Promise<Joined | 'full' | 'queued'> {
    const { seats, marks } = this.#parts;
    const local = seats.open(topic, () => marks.note('topics', topic));
    local.joining += 1;
    try {
      const node = await this.#standing(local);
      const joined = await this.#sit(topic, node, seat, options);
      if (joined === 'full') return 'full';
      const { member } = options;
      local.seats.set(seat.socketId, { seat, member });
      // The node may have begun a new life meanwhile, and did not know of this seat yet.
      const now = await this.#standing(local);
      if (now !== node) await this.#sit(topic, now, seat, { member });
      return joined;
    } catch (error) {
      if (!options.mayBeLate || !(error instanceof Unavailable)) throw error;
      local.seats.set(seat.socketId, { seat, member: options.member });
      this.#late.add(topic);
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
    await local?.marked.catch(() => {});
    const answer = replies.leave.parse(await this.#run(scripts.leave, topic, socketId));
    // A join that was asked for just before may have noted it only now.
    local?.seats.delete(socketId);
    this.#closeIfEmpty(topic);
    if (!answer) return undefined;
    const [version, subscriptions, change] = answer;
    this.#parts.edges.left(topic, version, [change], reason);
    return { version, subscriptions, vacated: change.vacated, memberRemoved: change.memberRemoved };
  }

  async evict(topic: Topic, who: Evicted, reason: string): Promise<number> {
    const { commands, keys, edges } = this.#parts;
    const [member, socketIds] =
      'userId' in who
        ? [JSON.stringify(who.userId), await this.#socketIdsOf(appOfTopic(topic), who.userId)]
        : ['', [who.socketId]];
    const [version, changes] = replies.evict.parse(
      await commands.runBeforeDeadline(
        scripts.evict,
        keys.topic(topic),
        JSON.stringify(who),
        JSON.stringify(reason),
        member,
        ...socketIds,
      ),
    );
    edges.left(topic, version, changes, reason);
    return changes.length;
  }

  async snapshot(topic: Topic): Promise<Snapshot> {
    const answer = replies.snapshot.parse(await this.#run(scripts.snapshot, topic));
    const [version, subscriptions, members, kept, keptMs] = answer;
    return { version, subscriptions, members, last: readKept(topic, kept, keptMs) };
  }

  async counts(topic: Topic): Promise<Counts> {
    return replies.counts.parse(await this.#run(scripts.counts, topic));
  }

  async channels(appId: string, prefix: string): Promise<ReadonlyMap<string, Counts>> {
    const found = new Map<string, Counts>();
    for await (const names of this.#parts.directory.pages(appId, 'channels', { prefix })) {
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
    for await (const names of this.#parts.directory.pages(appId, 'users', { after })) {
      const online = await Promise.all(names.map((id) => this.#countsIfOccupied(userTopicOf(appId, id))));
      ids.push(...names.filter((_, index) => online[index]));
      if (ids.length >= limit) break;
    }
    return ids.slice(0, limit);
  }

  async connections(appId: string, userId: string): Promise<readonly SeatedConnection[]> {
    const seats = readSeats(await this.#run(scripts.seats, userTopicOf(appId, userId)));
    if (seats.length === 0) return [];
    const channels = seats.map((): string[] => []);
    for await (const names of this.#parts.directory.pages(appId, 'channels', {})) {
      const sitting = await Promise.all(names.map((name) => this.#areSitting(topicOf(appId, name), seats)));
      names.forEach((name, index) => {
        for (const [seat, isThere] of (sitting[index] ?? []).entries())
          if (isThere) channels[seat]?.push(name);
      });
    }
    return seats.map((seat, index) => ({ seat, channels: channels[index] ?? [] }));
  }

  /** Takes all seats of this node again, under its present id. */
  announce(): Promise<void> {
    return this.#takeAgain([...this.#parts.seats]);
  }

  /** Takes the seats that could not be taken when they were asked for. */
  async takeLate(): Promise<void> {
    const { seats, log } = this.#parts;
    const topics = [...this.#late].flatMap((topic) => {
      const local = seats.get(topic);
      return local ? [[topic, local] as const] : [];
    });
    await this.#takeAgain(topics).catch((error: unknown) => {
      log.debug({ err: error }, 'late seats not taken yet');
    });
  }

  async #takeAgain(topics: readonly (readonly [Topic, LocalTopic])[]): Promise<void> {
    const { marks } = this.#parts;
    for (const [topic, local] of topics) {
      local.marked = marks.note('topics', topic);
      // Whoever waits for it is told.
      local.marked.catch(() => {});
    }
    for (let from = 0; from < topics.length; from += SLICE) {
      const slice = topics.slice(from, from + SLICE);
      await Promise.all(slice.map(([topic, local]) => this.#takeTopicAgain(topic, local)));
    }
  }

  async #takeTopicAgain(topic: Topic, local: LocalTopic): Promise<void> {
    const node = await local.marked;
    const wasLate = this.#late.delete(topic);
    try {
      await this.#sitAgain(topic, node, local);
      if (wasLate) this.#parts.onLate(topic);
    } catch (error) {
      if (wasLate) this.#late.add(topic);
      throw error;
    }
  }

  async #sitAgain(topic: Topic, node: string, local: LocalTopic): Promise<void> {
    const taken = [...local.seats.values()];
    for (let from = 0; from < taken.length; from += SLICE) {
      // Who has left meanwhile must not come back.
      const slice = taken.slice(from, from + SLICE).filter(({ seat }) => local.seats.has(seat.socketId));
      const joined = await Promise.all(
        slice.map(({ seat, member }) => this.#sit(topic, node, seat, { member })),
      );
      const last = joined.at(-1);
      if (last && last !== 'full') await this.#parts.directory.note(topic, true, last.version);
    }
  }

  /** The id under which a seat can be taken now. */
  async #standing(local: LocalTopic): Promise<string> {
    for (;;) {
      const { marked } = local;
      const id = await marked;
      if (marked !== local.marked) continue;
      if (id !== this.#parts.node.id) throw new Unavailable('This node begins a new life');
      return id;
    }
  }

  async #sit(
    topic: Topic,
    node: string,
    { socketId, since, client, address }: Seat,
    { member, maxMembers }: JoinOptions,
  ): Promise<Joined | 'full'> {
    const { commands, keys, edges } = this.#parts;
    const answer = replies.join.parse(
      await commands.runBeforeDeadline(
        scripts.join,
        keys.topic(topic),
        node,
        socketId,
        JSON.stringify({ socketId, since, client, address }),
        member ? JSON.stringify(member.userId) : '',
        member ? JSON.stringify(member) : '',
        maxMembers ?? '',
      ),
    );
    if (answer === 'full') return 'full';
    const [version, subscriptions, occupied, memberAdded, members, kept, keptMs] = answer;
    edges.joined(topic, version, socketId, { occupied, added: memberAdded ? member?.userId : undefined });
    return {
      version,
      subscriptions,
      occupied,
      memberAdded,
      members,
      last: readKept(topic, kept, keptMs),
    };
  }

  async #socketIdsOf(appId: string, userId: string): Promise<string[]> {
    const seats = readSeats(await this.#run(scripts.seats, userTopicOf(appId, userId)));
    return seats.map(({ socketId }) => socketId);
  }

  /** The directory may be behind: the topic knows, and the directory is told. */
  async #countsIfOccupied(topic: Topic): Promise<Counts | undefined> {
    const counts = await this.counts(topic);
    if (counts.subscriptions > 0) return counts;
    await this.#parts.directory.note(topic, false, counts.version);
    return undefined;
  }

  async #areSitting(topic: Topic, seats: readonly Seat[]): Promise<readonly boolean[]> {
    const { commands, keys } = this.#parts;
    const socketIds = seats.map(({ socketId }) => socketId);
    return replies.flags.parse(await commands.run(scripts.hasSeats, keys.topic(topic), ...socketIds));
  }

  #closeIfEmpty(topic: Topic): void {
    const { seats, marks, log } = this.#parts;
    const local = seats.get(topic);
    if (!local || !seats.closeIfEmpty(topic, local)) return;
    this.#late.delete(topic);
    marks.forget('topics', topic).catch((error: unknown) => {
      log.debug({ err: error, topic }, 'topic not forgotten: it is when the node ends');
    });
  }

  #run(script: (typeof scripts)[keyof typeof scripts], topic: Topic, ...args: string[]): Promise<unknown> {
    return this.#parts.commands.run(script, this.#parts.keys.topic(topic), ...args);
  }
}
