import type { Position } from '../../history/history.ts';
import type { Member } from '../../protocol/frames.ts';
import type { Counts, KeptEvent, Seat, Version } from '../adapter.ts';
import { appOfTopic, channelOfTopic, type Topic } from '../topic.ts';
import type { KeptEvents } from './kept-events.ts';

/** A seat that is taken. */
export interface TakenSeat {
  readonly seat: Seat;
  /** The user who holds the seat, in a presence channel. */
  readonly userId: string | undefined;
}

/** One user in a presence channel. */
export interface Presence {
  /** As their first connection described them. */
  readonly member: Member;
  seats: number;
}

/** The state of one topic. */
export class TopicState {
  version: Version = 0;
  readonly seats = new Map<string, TakenSeat>();
  /** By user id; only in presence channels. */
  members: Map<string, Presence> | undefined;
  /** The last kept event; it expires at `until`, by the monotonic clock. */
  kept:
    | {
        readonly name: string;
        readonly bytes: Buffer;
        /** How many of the bytes are the data. */
        readonly size: number;
        readonly version: Version;
        readonly position: Position | undefined;
        readonly until: number;
      }
    | undefined;

  get counts(): Counts {
    return { subscriptions: this.seats.size, members: this.members?.size ?? 0, version: this.version };
  }

  get memberList(): Member[] {
    return Array.from(this.members?.values() ?? [], ({ member }) => member);
  }
}

/** All topics by app. A topic exists while it has a seat or a kept event. */
export class Topics {
  readonly monotonic: () => number;
  readonly #apps = new Map<string, Map<string, TopicState>>();
  #version: Version = 0;

  readonly #keptEvents: KeptEvents;

  /** @param monotonic milliseconds of a monotonic clock */
  constructor(monotonic: () => number, keptEvents: KeptEvents) {
    this.monotonic = monotonic;
    this.#keptEvents = keptEvents;
  }

  /** Begins after all versions that an earlier run may have given. */
  continueAfter(version: Version): void {
    this.#version = Math.max(this.#version, version);
  }

  /** One counter for all topics, so that a topic that was forgotten does not start again at versions that it had. */
  nextVersion(): Version {
    return ++this.#version;
  }

  /** The counts of a topic that does not exist. */
  get empty(): Counts {
    return { subscriptions: 0, members: 0, version: this.#version };
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

  /** The topics of one app by channel name. */
  ofApp(appId: string): ReadonlyMap<string, TopicState> {
    return this.#apps.get(appId) ?? new Map();
  }

  /** The kept event of a topic, until it expires. */
  kept({ kept }: TopicState): KeptEvent | undefined {
    if (!kept) return undefined;
    const left = kept.until - this.monotonic();
    if (left <= 0) return undefined;
    return {
      name: kept.name,
      data: kept.bytes.toString('utf8', 0, kept.size),
      version: kept.version,
      position: kept.position,
      ttlSeconds: Math.ceil(left / 1000),
    };
  }

  /** Keeps an event as the last one of its topic. */
  keep(
    topic: Topic,
    { name, data, version, position }: Pick<KeptEvent, 'name' | 'data' | 'version' | 'position'>,
    seconds: number,
  ): void {
    const state = this.open(topic);
    const channel = channelOfTopic(topic);
    const size = Buffer.byteLength(data);
    // Outside the heap, where kept texts would pile up until a full collection, and in the buffer of a previous event if one fits.
    let room = state.kept?.bytes;
    let fits = true;
    for (const [appId, other] of this.#keptEvents.add(appOfTopic(topic), channel, size + name.length)) {
      const evicted = this.#apps.get(appId)?.get(other);
      if (evicted === state) fits = false;
      room = evicted?.kept?.bytes ?? room;
      if (evicted) this.#forget(`${appId}:${other}`, evicted);
    }
    if (!fits) return;
    if (!room || room.length < size || room.length > size * 2) room = Buffer.allocUnsafeSlow(size);
    room.write(data);
    state.version = version;
    state.kept = { name, bytes: room, size, version, position, until: this.monotonic() + seconds * 1000 };
  }

  /** Forgets the kept event of a topic. */
  forgetKept(topic: Topic): void {
    const state = this.find(topic);
    if (!state?.kept) return;
    this.#keptEvents.delete(appOfTopic(topic), channelOfTopic(topic));
    this.#forget(topic, state);
  }

  /** Forgets the kept events of an app. */
  forgetApp(appId: string): void {
    for (const name of [...this.ofApp(appId).keys()]) this.forgetKept(`${appId}:${name}`);
  }

  #forget(topic: Topic, state: TopicState): void {
    state.kept = undefined;
    this.closeIfEmpty(topic, state);
  }

  /** Forgets the topic if it has neither seats nor a kept event. */
  closeIfEmpty(topic: Topic, state: TopicState): void {
    if (state.seats.size > 0 || this.kept(state)) return;
    const appId = appOfTopic(topic);
    const channels = this.#apps.get(appId);
    if (state.kept) this.#keptEvents.delete(appId, channelOfTopic(topic));
    channels?.delete(channelOfTopic(topic));
    if (channels?.size === 0) this.#apps.delete(appId);
  }

  /** Forgets expired events, and topics that had nothing else. */
  sweep(): void {
    for (const [appId, channels] of this.#apps) {
      for (const [name, state] of channels) {
        if (!state.kept || this.kept(state)) continue;
        this.#keptEvents.delete(appId, name);
        this.#forget(`${appId}:${name}`, state);
      }
    }
  }
}
