import type { Logger } from 'pino';
import type { Adapter, Version } from '../adapter/adapter.ts';
import { type Topic, userOfTopic, userTopicOf } from '../adapter/topic.ts';
import { severityOf } from '../errors.ts';
import { type Frame, frames } from '../protocol/frames.ts';

/** What {@link Watchlists} needs of a connection. */
export interface Watcher {
  send(frame: Frame): void;
}

/** A user whom somebody on this node watches. */
interface WatchedUser {
  /** Resolves when it is known whether he is online; `undefined`: it could not be learnt, and is when somebody asks again. */
  known: Promise<void> | undefined;
  online: boolean;
  /** Of the last thing heard of him. */
  version: Version;
  readonly watchers: Set<Watcher>;
}

/** Tells connections when users whom they watch come online, which is with their first connection, and go with the last. */
export class Watchlists {
  readonly #adapter: Adapter;
  readonly #log: Logger;
  readonly #watched = new Map<Topic, WatchedUser>();
  readonly #watchlists = new Map<Watcher, readonly Topic[]>();
  /** What changed in this turn, and whom it concerns: each watcher gets one frame for all of it. */
  #changes: Map<Watcher, Map<string, boolean>> | undefined;

  constructor(adapter: Adapter, log: Logger) {
    this.#adapter = adapter;
    this.#log = log;
  }

  /** Replaces whom a connection watches, and tells it how they are. */
  async watch(appId: string, watcher: Watcher, userIds: readonly string[]): Promise<void> {
    this.unwatch(watcher);
    if (userIds.length === 0) return;
    const topics = [...new Set(userIds)].map((userId) => userTopicOf(appId, userId));
    this.#watchlists.set(watcher, topics);
    const users = topics.map((topic) => this.#open(topic));
    // From now on nobody closes them, and what changes before they are all known is part of what is told first.
    const reserve: Watcher = { send: () => {} };
    for (const { watchers } of users) watchers.add(reserve);
    try {
      await Promise.all(users.map(({ known }) => known));
    } finally {
      users.forEach(({ watchers }, index) => {
        watchers.delete(reserve);
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

  /** A user came or went. */
  changed(topic: Topic, online: boolean, version: Version): void {
    const user = this.#watched.get(topic);
    if (!user || version <= user.version) return;
    user.version = version;
    if (user.online === online) return;
    user.online = online;
    for (const watcher of user.watchers) this.#note(watcher, userOfTopic(topic) ?? '', online);
  }

  /** Something about a user may have been missed: looks how he is. */
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
    user.known ??= this.#learn(topic, user);
    return user;
  }

  async #learn(topic: Topic, user: WatchedUser): Promise<void> {
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
      .catch((error: unknown) => this.#log[severityOf(error)]({ err: error, topic }, 'ignore failed'));
  }

  #note(watcher: Watcher, userId: string, online: boolean): void {
    if (!this.#changes) {
      this.#changes = new Map();
      setImmediate(() => this.#tell());
    }
    const changes = this.#changes.get(watcher);
    if (changes) changes.set(userId, online);
    else this.#changes.set(watcher, new Map([[userId, online]]));
  }

  #tell(): void {
    const changes = this.#changes ?? new Map<Watcher, Map<string, boolean>>();
    this.#changes = undefined;
    for (const [watcher, states] of changes) watcher.send(frameOf([...states]));
  }
}

function frameOf(states: readonly (readonly [userId: string, online: boolean])[]): Frame {
  const of = (wanted: boolean) => states.filter(([, online]) => online === wanted).map(([userId]) => userId);
  return frames.watchlistEvents(of(true), of(false));
}
