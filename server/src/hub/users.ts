import { codes, Disconnect } from '../errors.ts';

/** What {@link Users} needs of a connection. */
export interface UserConnection {
  close(why: Disconnect): void;
}

/** Who is signed in on this node. */
export class Users {
  readonly #connections = new Map<string, Set<UserConnection>>();

  add(appId: string, userId: string, connection: UserConnection): void {
    const key = keyOf(appId, userId);
    const connections = this.#connections.get(key);
    if (connections) connections.add(connection);
    else this.#connections.set(key, new Set([connection]));
  }

  remove(appId: string, userId: string, connection: UserConnection): void {
    const key = keyOf(appId, userId);
    const connections = this.#connections.get(key);
    if (connections?.delete(connection) && connections.size === 0) this.#connections.delete(key);
  }

  /** Closes all connections that are signed in as this user. */
  terminate(appId: string, userId: string): void {
    const why = new Disconnect(codes.unauthorized, 'Connection terminated by the application');
    for (const connection of [...(this.#connections.get(keyOf(appId, userId)) ?? [])]) connection.close(why);
  }
}

/** App ids hold no colon. */
function keyOf(appId: string, userId: string): string {
  return `${appId}:${userId}`;
}
