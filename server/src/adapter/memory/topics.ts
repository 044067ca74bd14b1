import type { Member } from '../../protocol/frames.ts';
import type { Counts, KeptEvent, Seat, Version } from '../adapter.ts';
import { appOfTopic, channelOfTopic, type Topic } from '../topic.ts';
import type { KeptEvents } from './kept-events.ts';

/** One taken seat. */
export interface TakenSeat {
  readonly seat: Seat;
  /** The member that sits there, in a presence channel. */
  readonly userId: string | undefined;
}

/** One user in a presence channel. */
export interface Presence {
  /** As his first connection described him. */
  readonly member: Member;
  seats: number;
}

/** What is known of one topic. */
export class TopicState {
  version: Version = 0;
  readonly seats = new Map<string, TakenSeat>();
  /** By user id; only in presence channels. */
  members: Map<string, Presence> | undefined;
  /** The last kept event; it lives until `until`, by the monotonic clock. */
  kept:
    | {
        readonly name: string;
        readonly bytes: Buffer;
        /** How many of the bytes are its data. */
        readonly size: number;
        readonly version: Version;
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

/** All topics by app. A topic lives while somebody sits there or an event is kept. */
export class Topics {
  readonly monotonic: () => number;
  readonly #apps = new Map<string, Map<string, TopicState>>();
  #version: Version = 0;

  readonly #keptEvents: KeptEvents;

  /** @param monotonic milliseconds, by a clock that nobody sets */
  constructor(monotonic: () => number, keptEvents: KeptEvents) {
    this.monotonic = monotonic;
    this.#keptEvents = keptEvents;
  }

  /** One clock for all topics, so that a topic which was forgotten does not begin again at versions that it had. */
  nextVersion(): Version {
    return ++this.#version;
  }

  /** How a topic that nobody knows stands. */
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

  /** The kept event of a topic, while it lives. */
  kept({ kept }: TopicState): KeptEvent | undefined {
    if (!kept) return undefined;
    const left = kept.until - this.monotonic();
    if (left <= 0) return undefined;
    return {
      name: kept.name,
      data: kept.bytes.toString('utf8', 0, kept.size),
      version: kept.version,
      ttlSeconds: Math.ceil(left / 1000),
    };
  }

  /** Keeps an event as the last one of its topic; answers the version that it has. */
  keep(
    topic: Topic,
    { name, data }: { readonly name: string; readonly data: string },
    seconds: number,
  ): Version {
    const state = this.open(topic);
    const version = this.nextVersion();
    const channel = channelOfTopic(topic);
    const size = Buffer.byteLength(data);
    // Outside of the heap, and where another one was: kept texts would pile up there until all of it is collected.
    let room = state.kept?.bytes;
    let fits = true;
    for (const [appId, other] of this.#keptEvents.add(appOfTopic(topic), channel, size + name.length)) {
      const evicted = this.#apps.get(appId)?.get(other);
      if (evicted === state) fits = false;
      room = evicted?.kept?.bytes ?? room;
      if (evicted) this.#forget(`${appId}:${other}`, evicted);
    }
    if (!fits) return version;
    if (!room || room.length < size || room.length > size * 2) room = Buffer.allocUnsafeSlow(size);
    room.write(data);
    state.version = version;
    state.kept = { name, bytes: room, size, version, until: this.monotonic() + seconds * 1000 };
    return version;
  }

  #forget(topic: Topic, state: TopicState): void {
    state.kept = undefined;
    this.closeIfEmpty(topic, state);
  }

  /** Forgets the topic if nothing is left of it. */
  closeIfEmpty(topic: Topic, state: TopicState): void {
    if (state.seats.size > 0 || this.kept(state)) return;
    const appId = appOfTopic(topic);
    const channels = this.#apps.get(appId);
    if (state.kept) this.#keptEvents.delete(appId, channelOfTopic(topic));
    channels?.delete(channelOfTopic(topic));
    if (channels?.size === 0) this.#apps.delete(appId);
  }

  /** Forgets the events that have expired, and the topics that had nothing else. */
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
