import type { Member } from '../../protocol/frames.ts';
import {
  appOfTopic,
  type Counts,
  channelOfTopic,
  type KeptEvent,
  type Seat,
  type Topic,
  type Version,
} from '../adapter.ts';

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
    | { readonly name: string; readonly data: string; readonly version: Version; readonly until: number }
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

  /** @param monotonic milliseconds, by a clock that nobody sets */
  constructor(monotonic: () => number) {
    this.monotonic = monotonic;
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

  /** Forgets the topics that only had an event which has expired. */
  sweep(): void {
    for (const [appId, channels] of this.#apps) {
      for (const [name, state] of channels) if (state.kept) this.closeIfEmpty(`${appId}:${name}`, state);
    }
  }
}
