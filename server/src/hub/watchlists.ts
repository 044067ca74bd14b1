import type { Logger } from 'pino';
import type { Adapter, Version } from '../adapter/adapter.ts';
import { type Topic, userOfTopic, userTopicOf } from '../adapter/topic.ts';
import { severityOf } from '../errors.ts';
import { type Frame, frames } from '../protocol/frames.ts';

/** A connection, as far as {@link Watchlists} needs it. */
export interface Watcher {
  send(frame: Frame): void;
}

/** A user that connections of this node watch. */
interface WatchedUser {
  /** Resolves when the state is known; `undefined` if that failed, until the next connection watches the user. */
  known: Promise<void> | undefined;
  online: boolean;
  /** The version of the state. */
  version: Version;
  readonly watchers: Set<Watcher>;
}

/** Notifies connections when the users that they watch come online, with a first connection, or go offline, with the last. */
export class Watchlists {
  readonly #adapter: Adapter;
  readonly #log: Logger;
  readonly #watched = new Map<Topic, WatchedUser>();
  readonly #watchlists = new Map<Watcher, readonly Topic[]>();
  /** The changes of this turn of the event loop, by watcher: each watcher gets one frame for all of them. */
  #changes: Map<Watcher, Map<string, boolean>> | undefined;

  constructor(adapter: Adapter, log: Logger) {
    this.#adapter = adapter;
    this.#log = log;
  }

  /** Replaces the watchlist of a connection, and sends it the state of these users. */
  async watch(appId: string, watcher: Watcher, userIds: readonly string[]): Promise<void> {
    this.unwatch(watcher);
    if (userIds.length === 0) return;
    const topics = [...new Set(userIds)].map((userId) => userTopicOf(appId, userId));
    this.#watchlists.set(watcher, topics);
    const users = topics.map((topic) => this.#open(topic));
    // Keeps the users open until all states are known, so that the first frame includes changes until then.
    const placeholder: Watcher = { send: () => {} };
    for (const { watchers } of users) watchers.add(placeholder);
    try {
      await Promise.all(users.map(({ known }) => known));
    } finally {
      users.forEach(({ watchers }, index) => {
        watchers.delete(placeholder);
        if (this.#watchlists.get(watcher) === topics) watchers.add(watcher);
        this.#closeIfUnwatched(topics[index]!);
      });
    }
    if (this.#watchlists.get(watcher) !== topics) return;
    watcher.send(frameOf(topics.map((topic, index) => [userOfTopic(topic) ?? '', users[index]!.online])));
  }

  unwatch(watcher: Watcher): void {
    const topics = this.#watchlists.get(watcher);
    if (!topics) return;
    this.#watchlists.delete(watcher);
    this.#changes?.delete(watcher);
    for (const topic of topics) {
      this.#watched.get(topic)?.watchers.delete(watcher);
      this.#closeIfUnwatched(topic);
    }
  }

  /** A user came online or went offline. */
  changed(topic: Topic, online: boolean, version: Version): void {
    const user = this.#watched.get(topic);
    if (!user || version <= user.version) return;
    user.version = version;
    if (user.online === online) return;
    user.online = online;
    for (const watcher of user.watchers) this.#note(watcher, userOfTopic(topic) ?? '', online);
  }

  /** The node may have missed a change of a user: asks for the present state. */
  async missed(topic: Topic): Promise<void> {
    if (!this.#watched.has(topic)) return;
    const { subscriptions, version } = await this.#adapter.roster.counts(topic);
    this.changed(topic, subscriptions > 0, version);
  }

  #open(topic: Topic): WatchedUser {
    let user = this.#watched.get(topic);
    if (!user) {
      user = { known: undefined, online: false, version: 0, watchers: new Set() };
      this.#watched.set(topic, user);
    }
    user.known ??= this.#load(topic, user);
    return user;
  }

  async #load(topic: Topic, user: WatchedUser): Promise<void> {
    try {
      await this.#adapter.bus.listen(topic);
      const { subscriptions, version } = await this.#adapter.roster.counts(topic);
      if (version > user.version) Object.assign(user, { online: subscriptions > 0, version });
    } catch (error) {
      user.known = undefined;
      throw error;
    }
  }

  #closeIfUnwatched(topic: Topic): void {
    if (this.#watched.get(topic)?.watchers.size !== 0) return;
    this.#watched.delete(topic);
    this.#adapter.bus
      .ignore(topic)
      .catch((error: unknown) =>
        this.#log[severityOf(error)]({ err: error, topic }, 'failed to stop listening to a topic'),
      );
  }

  #note(watcher: Watcher, userId: string, online: boolean): void {
    if (!this.#changes) {
      this.#changes = new Map();
      setImmediate(() => this.#sendChanges());
    }
    const changes = this.#changes.get(watcher);
    if (changes) changes.set(userId, online);
    else this.#changes.set(watcher, new Map([[userId, online]]));
  }

  #sendChanges(): void {
    const changes = this.#changes ?? new Map<Watcher, Map<string, boolean>>();
    this.#changes = undefined;
    for (const [watcher, states] of changes) watcher.send(frameOf([...states]));
  }
}

function frameOf(states: readonly (readonly [userId: string, online: boolean])[]): Frame {
  const of = (wanted: boolean) => states.filter(([, online]) => online === wanted).map(([userId]) => userId);
  return frames.watchlistEvents(of(true), of(false));
}
