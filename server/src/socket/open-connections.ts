import type { App } from '../apps/app.ts';
import type { Connection } from './connection.ts';

/** The open connections of this node, oldest first. */
export class OpenConnections {
  readonly #connections = new Set<Connection>();

  get size(): number {
    return this.#connections.size;
  }

  add(connection: Connection): void {
    this.#connections.add(connection);
  }

  delete(connection: Connection): void {
    this.#connections.delete(connection);
  }

  [Symbol.iterator](): Iterator<Connection> {
    return this.#connections.values();
  }

  oldest(count: number): readonly Connection[] {
    const oldest: Connection[] = [];
    for (const connection of this.#connections) {
      if (oldest.length === count) break;
      oldest.push(connection);
    }
    return oldest;
  }

  /** Connections whose clients have bytes to read, the one with the most bytes first. */
  slowest(): readonly Connection[] {
    const slowest = [...this.#connections].filter(({ bufferedBytes }) => bufferedBytes > 0);
    return slowest.sort((a, b) => b.bufferedBytes - a.bufferedBytes);
  }

  /** Socket ids of an app, newest first. */
  socketIds(app: App, limit: number): readonly string[] {
    const ids: string[] = [];
    for (const connection of this.#connections) if (connection.app === app) ids.push(connection.socketId);
    return ids.slice(-limit).reverse();
  }

  /** The connection of an app that has a socket id. */
  find(app: App, socketId: string): Connection | undefined {
    for (const connection of this.#connections)
      if (connection.socketId === socketId && connection.app === app) return connection;
    return undefined;
  }

  /** Bytes that wait until clients read, by app id. */
  bufferedBytes(): ReadonlyMap<string, number> {
    const apps = new Map<string, number>();
    for (const { app, bufferedBytes } of this.#connections) {
      apps.set(app.id, (apps.get(app.id) ?? 0) + bufferedBytes);
    }
    return apps;
  }
}
