import type { Logger } from 'pino';
import { inSlices } from '../../../async/in-slices.ts';
import { Unavailable } from '../../../errors.ts';
import type { ScriptRunner } from '../../../redis/script-runner.ts';
import type { Joined, JoinOptions, Seat } from '../../adapter.ts';
import type { Topic } from '../../topic.ts';
import { newNonce, positionOfId } from '../history/ids.ts';
import type { Keys } from '../keys.ts';
import type { HeldResources } from '../membership/held-resources.ts';
import type { NodeLease } from '../membership/node-lease.ts';
import { scripts } from '../scripts.ts';
import type { ChannelIndex } from './channel-index.ts';
import type { JournalRecorder } from './journal-recorder.ts';
import type { LocalSeats, LocalTopic } from './local-seats.ts';
import { readKept, replies } from './replies.ts';

/** Topics, or seats of one topic, that are taken again at a time. */
const SLICE = 500;

/** Takes seats under the present id of this node, and takes them again when the node has a new one. */
export class SeatTaker {
  readonly #parts: SeatTakerParts;
  /** Topics with seats of this node that Redis does not know yet. */
  readonly #queued = new Set<Topic>();

  constructor(parts: SeatTakerParts) {
    this.#parts = parts;
  }

  /** The id under which a seat can be taken now. */
  async nodeIdOf(local: LocalTopic): Promise<string> {
    for (;;) {
      const { nodeId } = local;
      const id = await nodeId;
      if (nodeId !== local.nodeId) continue;
      if (id !== this.#parts.node.id) throw new Unavailable('This node is joining again');
      return id;
    }
  }

  async take(
    topic: Topic,
    nodeId: string,
    { socketId, since, client, address }: Seat,
    { member, maxMembers, position: wantsPosition }: JoinOptions,
  ): Promise<Joined | 'full'> {
    const { commands, keys, recorder } = this.#parts;
    const answer = replies.join.parse(
      await commands.runBeforeDeadline(
        scripts.join,
        keys.topic(topic),
        nodeId,
        socketId,
        JSON.stringify({ socketId, since, client, address }),
        member ? JSON.stringify(member.userId) : '',
        member ? JSON.stringify(member) : '',
        maxMembers ?? '',
        wantsPosition ? newNonce() : '',
      ),
    );
    if (answer === 'full') return 'full';
    const [version, subscriptions, occupied, isAdded, members, kept, keptMs, id] = answer;
    const memberAdded = isAdded ? member?.userId : undefined;
    recorder.recordChanges(topic, version, [{ kind: 'joined', socketId, occupied, memberAdded }]);
    const last = readKept(topic, kept, keptMs);
    const position = id === '' ? undefined : positionOfId(topic, id);
    return { version, subscriptions, occupied, memberAdded: isAdded, members, last, position };
  }

  /** Takes the seats of a topic as soon as Redis can be reached. */
  queue(topic: Topic): void {
    this.#queued.add(topic);
  }

  unqueue(topic: Topic): void {
    this.#queued.delete(topic);
  }

  /** Takes all seats of this node again, under its present id. */
  retakeAll(): Promise<void> {
    return this.#retake([...this.#parts.seats]);
  }

  /** Takes the seats that were queued. */
  async takeQueued(): Promise<void> {
    const { seats, log } = this.#parts;
    const topics = [...this.#queued].flatMap((topic) => {
      const local = seats.get(topic);
      return local ? [[topic, local] as const] : [];
    });
    await this.#retake(topics).catch((error: unknown) => {
      log.debug({ err: error }, 'queued seats not taken; will retry');
    });
  }

  async #retake(topics: readonly (readonly [Topic, LocalTopic])[]): Promise<void> {
    for (const [topic, local] of topics) {
      local.nodeId = this.#parts.held.note('topics', topic);
      // Those that wait for it receive the error.
      local.nodeId.catch(() => {});
    }
    await inSlices(topics, SLICE, ([topic, local]) => this.#retakeTopic(topic, local));
  }

  async #retakeTopic(topic: Topic, local: LocalTopic): Promise<void> {
    const nodeId = await local.nodeId;
    const wasQueued = this.#queued.delete(topic);
    try {
      await this.#retakeSeats(topic, nodeId, local);
      if (wasQueued) this.#parts.onQueuedTaken(topic);
    } catch (error) {
      if (wasQueued) this.#queued.add(topic);
      throw error;
    }
  }

  async #retakeSeats(topic: Topic, nodeId: string, local: LocalTopic): Promise<void> {
    const joined = await inSlices([...local.seats.values()], SLICE, async ({ seat, member }) => {
      // A connection that has left meanwhile must not come back.
      if (!local.seats.has(seat.socketId)) return undefined;
      return this.take(topic, nodeId, seat, { member });
    });
    const last = joined.findLast((each) => typeof each === 'object');
    if (last) await this.#parts.index.note(topic, true, last.version);
  }
}

export interface SeatTakerParts {
  /** Whether this node knows what was revoked; waits while it reads that. */
  readonly knowsRevoked: () => Promise<boolean>;
  readonly commands: ScriptRunner;
  readonly keys: Keys;
  readonly node: NodeLease;
  readonly held: HeldResources;
  readonly seats: LocalSeats;
  readonly index: ChannelIndex;
  readonly recorder: JournalRecorder;
  readonly log: Logger;
  /** The queued seats of a topic are taken. */
  readonly onQueuedTaken: (topic: Topic) => void;
}
