import type { Member } from '../../protocol/frames.ts';
import type {
  Counts,
  Evicted,
  Joined,
  JoinOptions,
  Left,
  Message,
  Roster,
  Seat,
  SeatedConnection,
  Snapshot,
} from '../adapter.ts';
import type { DomainEvent } from '../journal.ts';
import { appOfTopic, channelOfTopic, type Topic, userOfTopic, userTopicOf } from '../topic.ts';
import type { MemoryBus } from './bus.ts';
import type { TakenSeat, TopicState, Topics } from './topics.ts';

/** Who sits where, in this process. */
export class MemoryRoster implements Roster {
  readonly #topics: Topics;
  readonly #bus: MemoryBus;

  constructor(topics: Topics, bus: MemoryBus) {
    this.#topics = topics;
    this.#bus = bus;
  }

  async join(topic: Topic, seat: Seat, { member, maxMembers }: JoinOptions = {}): Promise<Joined | 'full'> {
    const state = this.#topics.open(topic);
    const again = state.seats.has(seat.socketId);
    const isNewMember = member !== undefined && !again && !state.members?.has(member.userId);
    if (isNewMember && maxMembers !== undefined && (state.members?.size ?? 0) >= maxMembers) return 'full';

    if (!again) {
      state.seats.set(seat.socketId, { seat, userId: member?.userId });
      state.version = this.#topics.nextVersion();
      if (member) takeMemberSeat(state, member);
    }
    const occupied = !again && state.seats.size === 1;
    this.#tellJoined(topic, state, seat, occupied, isNewMember ? member : undefined);
    const snapshot = this.#snapshot(state);
    return { ...snapshot, members: member ? snapshot.members : [], occupied, memberAdded: isNewMember };
  }

  async leave(topic: Topic, socketId: string, reason?: string): Promise<Left | undefined> {
    const state = this.#topics.find(topic);
    const taken = state?.seats.get(socketId);
    if (!state || !taken) return undefined;
    const { happenings, messages, memberRemoved } = this.#vacate(topic, state, taken, reason);
    this.#bus.emit(messages, this.#bus.record(happenings));
    this.#topics.closeIfEmpty(topic, state);
    const subscriptions = state.seats.size;
    return { version: state.version, subscriptions, vacated: subscriptions === 0, memberRemoved };
  }

  async evict(topic: Topic, who: Evicted, reason: string): Promise<number> {
    const state = this.#topics.open(topic);
    const evicted = [...state.seats.values()].filter(this.#seatsOf(topic, who));
    state.version = this.#topics.nextVersion();
    const { version } = state;
    const changes = evicted.map((taken) => this.#vacate(topic, state, taken, reason));
    // First those who go, so that they are not told of their own removal.
    this.#bus.emit(
      [{ kind: 'evicted', topic, version, who, reason }, ...changes.flatMap(({ messages }) => messages)],
      this.#bus.record(changes.flatMap(({ happenings }) => happenings)),
    );
    this.#topics.closeIfEmpty(topic, state);
    return evicted.length;
  }

  async snapshot(topic: Topic): Promise<Snapshot> {
    const state = this.#topics.find(topic);
    return state ? this.#snapshot(state) : { ...this.#topics.empty, members: [], last: undefined };
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
    const seats = [...(this.#topics.find(userTopicOf(appId, userId))?.seats.values() ?? [])];
    const channels = [...this.#topics.ofApp(appId)].filter(
      ([name]) => userOfTopic(`${appId}:${name}`) === undefined,
    );
    return seats.map(({ seat }) => ({
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

  #seatsOf(topic: Topic, who: Evicted): (taken: TakenSeat) => boolean {
    if ('socketId' in who) return ({ seat }) => seat.socketId === who.socketId;
    const signedIn = this.#topics.find(userTopicOf(appOfTopic(topic), who.userId))?.seats;
    return ({ seat, userId }) => userId === who.userId || signedIn?.has(seat.socketId) === true;
  }

  #tellJoined(
    topic: Topic,
    state: TopicState,
    seat: Seat,
    occupied: boolean,
    added: Member | undefined,
  ): void {
    const { socketId } = seat;
    const { version } = state;
    const happenings: DomainEvent[] = [];
    const messages: Message[] = [];
    const userId = userOfTopic(topic);
    if (occupied && userId !== undefined) {
      happenings.push({ kind: 'userOnline', appId: appOfTopic(topic), userId, socketId });
      messages.push({ kind: 'userOnline', topic, version });
    } else if (occupied && isPublicBusiness(topic)) {
      happenings.push({ kind: 'occupied', topic, socketId });
    }
    if (added) {
      happenings.push({ kind: 'memberAdded', topic, userId: added.userId, socketId });
      messages.push({ kind: 'memberAdded', topic, version, member: added });
    }
    this.#bus.emit(messages, this.#bus.record(happenings));
  }

  /** Takes one seat away, and tells what that changes. */
  #vacate(
    topic: Topic,
    state: TopicState,
    { seat: { socketId }, userId }: TakenSeat,
    reason: string | undefined,
  ): { happenings: DomainEvent[]; messages: Message[]; memberRemoved: string | undefined } {
    state.seats.delete(socketId);
    state.version = this.#topics.nextVersion();
    const { version } = state;
    const why = reason === undefined ? {} : { reason };
    const happenings: DomainEvent[] = [];
    const messages: Message[] = [];

    const memberRemoved = userId !== undefined && giveUpMemberSeat(state, userId) ? userId : undefined;
    if (memberRemoved !== undefined) {
      happenings.push({ kind: 'memberRemoved', topic, userId: memberRemoved, socketId, ...why });
      messages.push({ kind: 'memberRemoved', topic, version, userId: memberRemoved });
    }
    const user = userOfTopic(topic);
    if (state.seats.size === 0 && user !== undefined) {
      happenings.push({ kind: 'userOffline', appId: appOfTopic(topic), userId: user, socketId, ...why });
      messages.push({ kind: 'userOffline', topic, version });
    } else if (state.seats.size === 0 && isPublicBusiness(topic)) {
      happenings.push({ kind: 'vacated', topic, socketId, ...why });
    }
    return { happenings, messages, memberRemoved };
  }
}

function takeMemberSeat(state: TopicState, member: Member): void {
  state.members ??= new Map();
  const presence = state.members.get(member.userId);
  if (presence) presence.seats += 1;
  else state.members.set(member.userId, { member, seats: 1 });
}

/** Answers whether it was the last one of the user. */
function giveUpMemberSeat(state: TopicState, userId: string): boolean {
  const presence = state.members?.get(userId);
  if (!presence) return false;
  presence.seats -= 1;
  if (presence.seats > 0) return false;
  state.members?.delete(userId);
  return true;
}

/** Whether the backend is told of it: a user's own channel is nobody else's business. */
function isPublicBusiness(topic: Topic): boolean {
  return !channelOfTopic(topic).startsWith('#');
}
