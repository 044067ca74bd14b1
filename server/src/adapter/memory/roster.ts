import type { MemoryHistory } from '../../history/memory-history.ts';
import type { Member } from '../../protocol/frames.ts';
import type {
  Counts,
  Joined,
  JoinOptions,
  Left,
  Message,
  Roster,
  Seat,
  SeatedConnection,
  Snapshot,
  Version,
} from '../adapter.ts';
import { domainEventsOf } from '../domain-events.ts';
import type { DomainEvent } from '../journal.ts';
import { appOfTopic, channelOfTopic, type Topic, userOfTopic, userTopicOf } from '../topic.ts';
import type { MemoryBus } from './bus.ts';
import type { TakenSeat, TopicState, Topics } from './topics.ts';

const NOBODY: readonly Member[] = [];

/** Who holds a seat in which topic, in this process. */
export class MemoryRoster implements Roster {
  readonly #topics: Topics;
  readonly #bus: MemoryBus;
  readonly #history: MemoryHistory;

  constructor(topics: Topics, bus: MemoryBus, history: MemoryHistory) {
    this.#topics = topics;
    this.#bus = bus;
    this.#history = history;
  }

  async join(
    topic: Topic,
    seat: Seat,
    { member, maxMembers, position: wantsPosition }: JoinOptions = {},
  ): Promise<Joined | 'full'> {
    const state = this.#topics.open(topic);
    const again = state.seats.has(seat.socketId);
    const isNewMember = member !== undefined && !again && !state.members?.has(member.userId);
    if (isNewMember && maxMembers !== undefined && (state.members?.size ?? 0) >= maxMembers) return 'full';

    if (!again) {
      state.seats.set(seat.socketId, { seat, userId: member?.userId });
      state.version = this.#topics.nextVersion();
      if (member) addMemberSeat(state, member);
    }
    const occupied = !again && state.seats.size === 1;
    if (occupied || isNewMember)
      this.#announceJoin(topic, state.version, seat, occupied, isNewMember ? member : undefined);
    return {
      version: state.version,
      subscriptions: state.seats.size,
      members: member ? state.memberList : NOBODY,
      last: this.#topics.kept(state),
      occupied,
      memberAdded: isNewMember,
      position: wantsPosition ? this.#history.position(appOfTopic(topic), channelOfTopic(topic)) : undefined,
    };
  }

  async leave(topic: Topic, socketId: string, reason?: string): Promise<Left | undefined> {
    const state = this.#topics.find(topic);
    const taken = state?.seats.get(socketId);
    if (!state || !taken) return undefined;
    const { events, messages, memberRemoved } = this.#vacate(topic, state, taken, reason);
    this.#bus.emit(messages, this.#bus.record(events));
    this.#topics.closeIfEmpty(topic, state);
    const subscriptions = state.seats.size;
    return { version: state.version, subscriptions, vacated: subscriptions === 0, memberRemoved };
  }

  async snapshot(topic: Topic): Promise<Snapshot> {
    const state = this.#topics.find(topic);
    return state ? this.#snapshot(state) : { ...this.#topics.empty, members: [], last: undefined };
  }

  async seats(topic: Topic): Promise<readonly Seat[]> {
    return Array.from(this.#topics.find(topic)?.seats.values() ?? [], ({ seat }) => seat);
  }

  async counts(topic: Topic): Promise<Counts> {
    return this.#topics.find(topic)?.counts ?? this.#topics.empty;
  }

  async channels(appId: string, prefix: string): Promise<ReadonlyMap<string, Counts>> {
    const found = new Map<string, Counts>();
    for (const [name, state] of this.#topics.ofApp(appId)) {
      if (state.seats.size > 0 && name.startsWith(prefix)) found.set(name, state.counts);
    }
    return found;
  }

  async users(appId: string, after: string, limit: number): Promise<readonly string[]> {
    const ids: string[] = [];
    for (const name of this.#topics.ofApp(appId).keys()) {
      const id = userOfTopic(`${appId}:${name}`);
      if (id !== undefined && id > after) ids.push(id);
    }
    return ids.sort().slice(0, limit);
  }

  async connections(appId: string, userId: string): Promise<readonly SeatedConnection[]> {
    const seats = await this.seats(userTopicOf(appId, userId));
    const channels = [...this.#topics.ofApp(appId)].filter(
      ([name]) => userOfTopic(`${appId}:${name}`) === undefined,
    );
    return seats.map((seat) => ({
      seat,
      channels: channels.filter(([, state]) => state.seats.has(seat.socketId)).map(([name]) => name),
    }));
  }

  #snapshot(state: TopicState): Snapshot {
    return {
      version: state.version,
      subscriptions: state.seats.size,
      members: state.memberList,
      last: this.#topics.kept(state),
    };
  }

  #announceJoin(
    topic: Topic,
    version: Version,
    { socketId }: Seat,
    occupied: boolean,
    added: Member | undefined,
  ): void {
    const messages: Message[] = [];
    if (occupied && userOfTopic(topic) !== undefined) messages.push({ kind: 'userOnline', topic, version });
    if (added) messages.push({ kind: 'memberAdded', topic, version, member: added });
    const change = { kind: 'joined', socketId, occupied, memberAdded: added?.userId } as const;
    this.#bus.emit(messages, this.#bus.record(domainEventsOf(topic, change)));
  }

  /** Removes one seat; answers what that changes and the messages that announce it. */
  #vacate(
    topic: Topic,
    state: TopicState,
    { seat: { socketId }, userId }: TakenSeat,
    reason: string | undefined,
  ): { events: DomainEvent[]; messages: Message[]; memberRemoved: string | undefined } {
    state.seats.delete(socketId);
    state.version = this.#topics.nextVersion();
    const { version } = state;
    const vacated = state.seats.size === 0;
    const memberRemoved = userId !== undefined && removeMemberSeat(state, userId) ? userId : undefined;
    const messages: Message[] = [];
    if (memberRemoved !== undefined) {
      messages.push({ kind: 'memberRemoved', topic, version, userId: memberRemoved });
    }
    if (vacated && userOfTopic(topic) !== undefined) messages.push({ kind: 'userOffline', topic, version });
    const change = { kind: 'left', socketId, vacated, memberRemoved, reason } as const;
    return { events: domainEventsOf(topic, change), messages, memberRemoved };
  }
}

function addMemberSeat(state: TopicState, member: Member): void {
  state.members ??= new Map();
  const presence = state.members.get(member.userId);
  if (presence) presence.seats += 1;
  else state.members.set(member.userId, { member, seats: 1 });
}

/** Answers whether it was the last seat of the user. */
function removeMemberSeat(state: TopicState, userId: string): boolean {
  const presence = state.members?.get(userId);
  if (!presence) return false;
  presence.seats -= 1;
  if (presence.seats > 0) return false;
  state.members?.delete(userId);
  return true;
}
