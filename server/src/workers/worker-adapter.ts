import type { Adapter, Blocks, Bus, BusListener, Counters, History, Roster } from '../adapter/adapter.ts';
import type { Desk } from './protocol.ts';
import type { Line } from './rpc.ts';

/** The adapter of a worker: everything that is shared is with the parent, and asked for there. */
export class WorkerAdapter implements Adapter {
  readonly bus: Bus;
  readonly roster: Roster;
  readonly history: History;
  readonly counters: Counters;
  readonly blocks: Blocks;
  readonly #parent: Line<Desk>;
  #listener: BusListener | undefined;

  constructor(parent: Line<Desk>) {
    this.#parent = parent;
    this.bus = {
      listen: (topic) => parent.ask('listen', [topic]),
      ignore: (topic) => parent.ask('ignore', [topic]),
      publish: (message, keepSeconds) => parent.ask('publish', [message, keepSeconds]),
      publishCount: (topic, count, version) => parent.ask('publishCount', [topic, count, version]),
      command: (command) => parent.ask('command', [command]),
    };
    this.roster = {
      join: (topic, { socketId, since, client, address }, options) =>
        parent.ask('join', [topic, { socketId, since, client, address }, options]),
      leave: (topic, socketId, reason) => parent.ask('leave', [topic, socketId, reason]),
      evict: (topic, who, reason) => parent.ask('evict', [topic, who, reason]),
      snapshot: (topic) => parent.ask('snapshot', [topic]),
      counts: (topic) => parent.ask('counts', [topic]),
      channels: (appId, prefix) => parent.ask('channels', [appId, prefix]),
      users: (appId, after, limit) => parent.ask('users', [appId, after, limit]),
      connections: (appId, userId) => parent.ask('connections', [appId, userId]),
    };
    this.history = { last: (topic) => parent.ask('last', [topic]) };
    this.counters = {
      hit: (key, windowMs) => parent.ask('hit', [key, windowMs]),
      hold: (key, limit) => {
        // By then the connection has been turned away, so nobody else would give its place back.
        const late = (held: boolean) => held && void this.counters.release(key).catch(() => {});
        return parent.ask('hold', [key, limit], { late });
      },
      release: (key) => parent.ask('release', [key]),
    };
    this.blocks = {
      add: (block) => parent.ask('add', [block]),
      isKept: (appId, userId, channel) => parent.ask('isKept', [appId, userId, channel]),
      find: (appId, userId, channel) => parent.ask('find', [appId, userId, channel]),
    };
  }

  /** What the parent sends is for this listener. */
  get listener(): BusListener | undefined {
    return this.#listener;
  }

  /** The journal is with the parent, which has the edges: here it has nothing to take down. */
  attach(listener: BusListener): void {
    this.#listener = listener;
  }

  /** Waits for what is being asked, so that all that the worker has given up is given up at the parent too. */
  close(): Promise<void> {
    return this.#parent.settle();
  }
}
