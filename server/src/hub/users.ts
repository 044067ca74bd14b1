import type { Logger } from 'pino';
import type { Adapter, LeaveReason, Seat } from '../adapter/adapter.ts';
import type { Question } from '../adapter/questions.ts';
import { userTopicOf } from '../adapter/topic.ts';
import type { App } from '../apps/app.ts';
import type { ErrorCode } from '../error-codes.ts';
import { severityOf } from '../errors.ts';

/** Why the application, or a limit that it has set, closes a connection. */
export type ExpelCode = 'grant_revoked' | 'superseded' | 'terminated';

type Supersession = Extract<Question, { kind: 'supersede' }>;

/** A connection, as far as {@link Users} needs it. */
export interface UserConnection extends Seat {
  /** Nothing is sent to it and nothing taken from it any more: it is about to be closed. */
  silence(): void;
  /** Closes it for good. */
  expel(reason: string, code?: ExpelCode): void;
  /** Closes it, so that the client reconnects at once and signs in again. */
  reconnect(code: ErrorCode, reason: string): void;
}

/** The signed-in users of this node. */
export class Users {
  readonly #adapter: Adapter;
  readonly #log: Logger;
  readonly #connections = new Map<string, Set<UserConnection>>();

  constructor(adapter: Adapter, log: Logger) {
    this.#adapter = adapter;
    this.#log = log;
  }

  /**
   * Takes a seat for one connection of a user. The first seat brings the user online. Beyond `connectionsPerUser` the
   * connections that signed in first are closed, on all nodes, before it resolves.
   */
  async signIn({ id: appId, limits }: App, userId: string, connection: UserConnection): Promise<void> {
    const key = keyOf(appId, userId);
    const connections = this.#connections.get(key);
    if (connections) connections.add(connection);
    else this.#connections.set(key, new Set([connection]));
    const { roster, nodes } = this.#adapter;
    const topic = userTopicOf(appId, userId);
    const joined = await roster.join(topic, connection);
    const { connectionsPerUser: limit } = limits;
    if (limit === null || typeof joined === 'string' || joined.subscriptions <= limit) return;
    const socketIds = (await roster.seats(topic)).slice(0, -limit).map(({ socketId }) => socketId);
    if (socketIds.length === 0) return;
    const reason = `The user has signed in on ${limit} newer connections`;
    await nodes.ask({ kind: 'supersede', appId, userId, socketIds, reason });
  }

  /** Closes the connections of this process that newer ones supersede. */
  supersede({ appId, userId, socketIds, reason }: Supersession): void {
    for (const connection of [...this.of(appId, userId)])
      if (socketIds.includes(connection.socketId)) connection.expel(reason, 'superseded');
  }

  /** Gives up the seat. Without a seat the user is offline. */
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
        'failed to sign a user out',
      );
    }
  }

  /** The connections of one user in this process, also those that are about to sign in. */
  of(appId: string, userId: string): Iterable<UserConnection> {
    return this.#connections.get(keyOf(appId, userId)) ?? [];
  }

  /** All signed-in connections of this process. */
  *all(): Iterable<UserConnection> {
    for (const connections of this.#connections.values()) yield* connections;
  }
}

/** Unique, because app ids hold no colon. */
function keyOf(appId: string, userId: string): string {
  return `${appId}:${userId}`;
}
