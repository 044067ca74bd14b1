import type { Member } from '../protocol/frames.ts';
import {
  type Adapter,
  appOfTopic,
  type Bus,
  type BusListener,
  type Command,
  type Counters,
  type Counts,
  channelOfTopic,
  type EventMessage,
  type History,
  type Joined,
  type JoinOptions,
  type KeptEvent,
  type Left,
  type Message,
  type Roster,
  type Seat,
  type Topic,
  type Version,
} from './adapter.ts';

/** Milliseconds between two sweeps for what has expired. */
const SWEEP_MS = 30_000;

/** The adapter of a single node: everything is in this process, and gone with it. */
export class MemoryAdapter implements Adapter {
  readonly bus: MemoryBus;
  readonly roster: MemoryRoster;
  readonly history: MemoryHistory;
  readonly counters: MemoryCounters;
  readonly #sweep: NodeJS.Timeout;

  /** @param now the clock, in Unix milliseconds */
  constructor(now: () => number = Date.now) {
    const topics = new Topics(now);
    this.bus = new MemoryBus(topics);
    this.roster = new MemoryRoster(topics, this.bus);
    this.history = new MemoryHistory(topics);
    this.counters = new MemoryCounters(now);
    this.#sweep = setInterval(() => {
      topics.sweep();
      this.counters.sweep();
    }, SWEEP_MS).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
  }
}

/** What is known of one topic. */
class TopicState {
  version: Version = 0;
  readonly seats = new Map<string, TakenSeat>();
  /** By user id; only in presence channels. */
  members: Map<string, Presence> | undefined;
  kept:
    | { readonly name: string; readonly data: string; readonly version: Version; readonly until: number }
    | undefined;

  get counts(): Counts {
    return { subscriptions: this.seats.size, members: this.members?.size ?? 0 };
  }
}

interface TakenSeat {
  readonly seat: Seat;
  readonly userId: string | undefined;
}

interface Presence {
  /** As the first connection of the user described it. */
  readonly member: Member;
  seats: number;
}

/** All topics by app. A topic lives while somebody sits there or an event is kept. */
class Topics {
  readonly #apps = new Map<string, Map<string, TopicState>>();
  #version: Version = 0;

  constructor(readonly now: () => number) {}

  /** One clock for all topics, so that a topic which was forgotten does not begin again at versions that it had. */
  nextVersion(): Version {
    return ++this.#version;
  }

  find(topic: Topic): TopicState | undefined {
    return this.#apps.get(appOfTopic(topic))?.get(channelOfTopic(topic));
  }

  open(topic: Topic): TopicState {
    const appId = appOfTopic(topic);
    let channels = this.#apps.get(appId);
    if (!channels) {
      channels = new Map();
      this.#apps.set(appId, channels);
    }
    const name = channelOfTopic(topic);
    let state = channels.get(name);
    if (!state) {
      state = new TopicState();
      channels.set(name, state);
    }
    return state;
  }

  ofApp(appId: string): ReadonlyMap<string, TopicState> {
    return this.#apps.get(appId) ?? new Map();
  }

  kept(state: TopicState): KeptEvent | undefined {
    const { kept } = state;
    if (!kept) return undefined;
    const left = kept.until - this.now();
    if (left <= 0) return undefined;
    return { name: kept.name, data: kept.data, version: kept.version, ttlSeconds: Math.ceil(left / 1000) };
  }

  /** Forgets the topic if nothing is left of it. */
  closeIfEmpty(topic: Topic, state: TopicState): void {
    if (state.seats.size > 0 || this.kept(state)) return;
    const appId = appOfTopic(topic);
    const channels = this.#apps.get(appId);
    channels?.delete(channelOfTopic(topic));
    if (channels?.size === 0) this.#apps.delete(appId);
  }

  sweep(): void {
    for (const [appId, channels] of this.#apps) {
      for (const [name, state] of channels) if (state.kept) this.closeIfEmpty(`${appId}:${name}`, state);
    }
  }
}

class MemoryBus implements Bus {
  #listener: BusListener | undefined;
  readonly #topics: Topics;

  constructor(topics: Topics) {
    this.#topics = topics;
  }

  attach(listener: BusListener): void {
    this.#listener = listener;
  }

  async listen(): Promise<void> {}

  async ignore(): Promise<void> {}

  async publish(message: EventMessage, keepSeconds?: number): Promise<void> {
    if (keepSeconds === undefined) return this.emit(message);
    const state = this.#topics.open(message.topic);
    const version = this.#topics.nextVersion();
    state.version = version;
    const until = this.#topics.now() + keepSeconds * 1000;
    state.kept = { name: message.name, data: message.data, version, until };
    this.emit({ ...message, version });
  }

  async publishCount(topic: Topic, count: number, version: Version): Promise<void> {
    this.emit({ kind: 'count', topic, count, version });
  }

  async command(command: Command): Promise<void> {
    this.#listener?.obey(command);
  }

  emit(message: Message): void {
    this.#listener?.deliver(message);
  }
}

class MemoryRoster implements Roster {
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
      if (member) {
        state.members ??= new Map();
        const presence = state.members.get(member.userId);
        if (presence) presence.seats += 1;
        else state.members.set(member.userId, { member, seats: 1 });
      }
    }
    if (isNewMember) this.#bus.emit({ kind: 'memberAdded', topic, version: state.version, member });
    return {
      version: state.version,
      subscriptions: state.seats.size,
      occupied: !again && state.seats.size === 1,
      memberAdded: isNewMember,
      members: member && membersOf(state),
      last: this.#topics.kept(state),
    };
  }

  async leave(topic: Topic, socketId: string): Promise<Left | undefined> {
    const state = this.#topics.find(topic);
    const taken = state?.seats.get(socketId);
    if (!state || !taken) return undefined;
    state.seats.delete(socketId);
    state.version = this.#topics.nextVersion();

    let memberRemoved: string | undefined;
    const presence = taken.userId === undefined ? undefined : state.members?.get(taken.userId);
    if (presence && --presence.seats === 0) {
      memberRemoved = presence.member.userId;
      state.members?.delete(memberRemoved);
      this.#bus.emit({ kind: 'memberRemoved', topic, version: state.version, userId: memberRemoved });
    }
    this.#topics.closeIfEmpty(topic, state);
    const subscriptions = state.seats.size;
    return { version: state.version, subscriptions, vacated: subscriptions === 0, memberRemoved };
  }

  async members(topic: Topic): Promise<readonly Member[]> {
    const state = this.#topics.find(topic);
    return state ? membersOf(state) : [];
  }

  async counts(topic: Topic): Promise<Counts> {
    return this.#topics.find(topic)?.counts ?? { subscriptions: 0, members: 0 };
  }

  async channels(appId: string, prefix: string): Promise<ReadonlyMap<string, Counts>> {
    const found = new Map<string, Counts>();
    for (const [name, state] of this.#topics.ofApp(appId)) {
      if (state.seats.size > 0 && name.startsWith(prefix)) found.set(name, state.counts);
    }
    return found;
  }
}

function membersOf(state: TopicState): Member[] {
  return Array.from(state.members?.values() ?? [], (presence) => presence.member);
}

class MemoryHistory implements History {
  readonly #topics: Topics;

  constructor(topics: Topics) {
    this.#topics = topics;
  }

  async last(topic: Topic): Promise<KeptEvent | undefined> {
    const state = this.#topics.find(topic);
    return state && this.#topics.kept(state);
  }
}

class MemoryCounters implements Counters {
  readonly #now: () => number;
  readonly #windows = new Map<string, { hits: number; readonly resetAt: number }>();
  readonly #held = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  async hit(key: string, windowMs: number): Promise<{ hits: number; resetAt: number }> {
    const now = this.#now();
    let window = this.#windows.get(key);
    if (!window || window.resetAt <= now) {
      window = { hits: 0, resetAt: now + windowMs };
      this.#windows.set(key, window);
    }
    window.hits += 1;
    return { hits: window.hits, resetAt: window.resetAt };
  }

  async hold(key: string, limit: number): Promise<boolean> {
    const held = this.#held.get(key) ?? 0;
    if (held >= limit) return false;
    this.#held.set(key, held + 1);
    return true;
  }

  async release(key: string): Promise<void> {
    const held = this.#held.get(key) ?? 0;
    if (held > 1) this.#held.set(key, held - 1);
    else this.#held.delete(key);
  }

  sweep(): void {
    const now = this.#now();
    for (const [key, window] of this.#windows) if (window.resetAt <= now) this.#windows.delete(key);
  }
}
