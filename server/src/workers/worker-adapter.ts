import type { Adapter, Bus, BusListener, ChannelCache, Counters, Roster } from '../adapter/adapter.ts';
import type { Blocks } from '../adapter/blocks.ts';
import type { ParentApi } from './protocol.ts';
import type { Rpc } from './rpc.ts';

/** The adapter of a worker: everything that is shared is with the parent, and asked for there. */
export class WorkerAdapter implements Adapter {
  readonly bus: Bus;
  readonly roster: Roster;
  readonly channelCache: ChannelCache;
  readonly counters: Counters;
  readonly blocks: Blocks;
  readonly #parent: Rpc<ParentApi>;
  #listener: BusListener | undefined;

  constructor(parent: Rpc<ParentApi>) {
    this.#parent = parent;
    this.bus = {
      listen: (topic) => parent.call('listen', [topic]),
      ignore: (topic) => parent.call('ignore', [topic]),
      publish: (message, keepSeconds) => parent.call('publish', [message, keepSeconds]),
      publishCount: (topic, count, version) => parent.call('publishCount', [topic, count, version]),
      command: (command) => parent.call('command', [command]),
    };
    this.roster = {
      join: (topic, { socketId, since, client, address }, options) =>
        parent.call('join', [topic, { socketId, since, client, address }, options]),
      leave: (topic, socketId, reason) => parent.call('leave', [topic, socketId, reason]),
      evict: (topic, who, reason) => parent.call('evict', [topic, who, reason]),
      snapshot: (topic) => parent.call('snapshot', [topic]),
      counts: (topic) => parent.call('counts', [topic]),
      channels: (appId, prefix) => parent.call('channels', [appId, prefix]),
      users: (appId, after, limit) => parent.call('users', [appId, after, limit]),
      connections: (appId, userId) => parent.call('connections', [appId, userId]),
    };
    this.channelCache = { last: (topic) => parent.call('last', [topic]) };
    this.counters = {
      hit: (key, windowMs, by) => parent.call('hit', [key, windowMs, by]),
      hold: (key, limit) => {
        // By then the connection has been turned away, so nobody else would give its place back.
        const late = (held: boolean) => held && void this.counters.release(key).catch(() => {});
        return parent.call('hold', [key, limit], { late });
      },
      release: (key) => parent.call('release', [key]),
    };
    this.blocks = {
      add: (block, bounds) => parent.call('add', [block, bounds]),
      isKept: (appId, userId, channel) => parent.call('isKept', [appId, userId, channel]),
      find: (appId, userId, channel) => parent.call('find', [appId, userId, channel]),
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
