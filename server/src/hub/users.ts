import type { Logger } from 'pino';
import type { Adapter, LeaveReason, Seat } from '../adapter/adapter.ts';
import { userTopicOf } from '../adapter/topic.ts';
import { severityOf } from '../errors.ts';

/** What {@link Users} needs of a connection. */
export interface UserConnection extends Seat {
  /** Closes it because the application said so. */
  expel(reason: string): void;
  /** Closes it, so that it comes back at once and signs in anew. */
  renew(reason: string): void;
}

/** Who is signed in. */
export class Users {
  readonly #adapter: Adapter;
  readonly #log: Logger;
  /** Connections of this node. */
  readonly #connections = new Map<string, Set<UserConnection>>();

  constructor(adapter: Adapter, log: Logger) {
    this.#adapter = adapter;
    this.#log = log;
  }

  /** Takes a seat for one connection of a user: with the first one he comes online. */
  async signIn(appId: string, userId: string, connection: UserConnection): Promise<void> {
    const key = keyOf(appId, userId);
    const connections = this.#connections.get(key);
    if (connections) connections.add(connection);
    else this.#connections.set(key, new Set([connection]));
    await this.#adapter.roster.join(userTopicOf(appId, userId), connection);
  }

  /** Gives the seat up: with the last one the user goes offline. */
  async signOut(
    appId: string,
    userId: string,
    connection: UserConnection,
    reason: LeaveReason,
  ): Promise<void> {
    const key = keyOf(appId, userId);
    const connections = this.#connections.get(key);
    if (connections?.delete(connection) && connections.size === 0) this.#connections.delete(key);
    try {
      await this.#adapter.roster.leave(userTopicOf(appId, userId), connection.socketId, reason);
    } catch (error) {
      this.#log[severityOf(error)](
        { err: error, appId, userId, socketId: connection.socketId },
        'sign-out failed',
      );
    }
  }

  /** Closes all connections of this node that are signed in as this user. */
  expel(appId: string, userId: string, reason: string): void {
    for (const connection of [...(this.#connections.get(keyOf(appId, userId)) ?? [])])
      connection.expel(reason);
  }

  /** Has all connections of this node that are signed in come back and sign in anew. */
  renew(reason: string): void {
    const connections = [...this.#connections.values()].flatMap((each) => [...each]);
    for (const connection of connections) connection.renew(reason);
  }
}

/** App ids hold no colon. */
function keyOf(appId: string, userId: string): string {
  return `${appId}:${userId}`;
}
