import { type Access, rightOf } from '../../access/access.ts';
import { revoked } from '../../access/revocation-book.ts';
import { isTarget } from '../../access/right.ts';
import type { DomainEvent, Journal } from '../../adapter/journal.ts';
import { NOTHING_DONE, type NodeAnswer } from '../../adapter/questions.ts';
import type { Revocation } from '../../adapter/revocations.ts';
import { appOfTopic } from '../../adapter/topic.ts';
import { inTurns } from '../../async/in-turns.ts';
import type { ErrorCode } from '../../error-codes.ts';
import type { Recordable } from '../../recorder/flight-recorder.ts';
import type { Channels } from '../channels.ts';
import type { UserConnection, Users } from '../users.ts';
import type { Concerned } from './concerned.ts';
import type { Endings } from './endings.ts';
import { recheck } from './recheck.ts';

/** A connection of this process. */
export interface LocalConnection extends UserConnection, Recordable {
  readonly app: { readonly id: string };
  readonly openedAfter: number;
}

export interface EnforcementParts {
  readonly access: Access;
  readonly channels: Channels;
  readonly endings: Endings;
  readonly users: Users;
  readonly journal: Journal;
  /** The connections of this process. */
  readonly connections: Iterable<LocalConnection>;
}

/**
 * Does on this process what a revocation asks for. It has effect on all that it concerns before anything is awaited; to
 * tell many and to close their connections takes several turns of the loop.
 */
export class Enforcement {
  readonly #parts: EnforcementParts;

  constructor(parts: EnforcementParts) {
    this.#parts = parts;
  }

  /**
   * Resolves when the revocation has effect; with `recheck`, when the backend was asked.
   *
   * @param now the present by the clock that has dated it, in Unix milliseconds
   */
  async apply(revocation: Revocation, now: number): Promise<NodeAnswer> {
    const { access } = this.#parts;
    access.revocations.add(revocation, now);
    const concerned = revocation.isOfSignIns ? [] : this.#concerned(revocation);
    const { length: subscriptions } = concerned;
    switch (revocation.action) {
      case 'recheck':
        return { ...NOTHING_DONE, unanswered: await recheck(this.#parts, concerned) };
      case 'end':
        this.#end(revocation, concerned);
        return { ...NOTHING_DONE, subscriptions };
      case 'disconnect': {
        const connections = this.#connections(revocation, concerned);
        this.#disconnect(revocation, concerned, connections);
        return { ...NOTHING_DONE, subscriptions, connections: connections.length };
      }
      case 'reconnect': {
        const connections = this.#connections(revocation, concerned);
        this.#reconnect(revocation, connections);
        return { ...NOTHING_DONE, subscriptions, connections: connections.length };
      }
    }
  }

  /** Makes all who hold a right prove it again. */
  proveAgain(): void {
    const { channels, users } = this.#parts;
    const connections = new Set(users.all());
    for (const [, local] of channels.all()) {
      if (local.channel.kind === 'public') continue;
      for (const [subscriber] of local.all()) connections.add(subscriber);
    }
    this.sendBack([...connections], 'out_of_sync', 'The node may have missed what was revoked');
  }

  /** Closes connections whose clients reconnect at once and prove their rights again. */
  sendBack(connections: readonly UserConnection[], code: ErrorCode, reason: string): void {
    for (const connection of connections) connection.silence();
    void inTurns(connections, (slice) => {
      for (const connection of slice) connection.reconnect(code, reason);
    });
  }

  #concerned(revocation: Revocation): Concerned[] {
    const { channels } = this.#parts;
    const { appId, target, exceptSocketId } = revocation;
    const concerned: Concerned[] = [];
    for (const [topic, local] of channels.all()) {
      const { name } = local.channel;
      if (appOfTopic(topic) !== appId) continue;
      if (target.channel !== undefined && target.channel !== name) continue;
      if (target.channelPrefix !== undefined && !name.startsWith(target.channelPrefix)) continue;
      for (const [subscriber, subscription] of local.all()) {
        if (subscriber.socketId === exceptSocketId) continue;
        if (isTarget(revocation, rightOf(local.app, name, subscriber, subscription.grant)))
          concerned.push({ topic, local, subscriber, subscription });
      }
    }
    return concerned;
  }

  #end(revocation: Revocation, concerned: readonly Concerned[]): void {
    const { access, endings } = this.#parts;
    const { userId, grantId, key } = revocation.target;
    if (userId !== undefined && grantId === undefined && key === undefined) {
      for (const { local, subscriber } of concerned) access.lose(subscriber, local.channel.name, revocation);
    }
    endings.end(concerned, revoked(revocation), (slice) => this.#record(revocation, slice));
  }

  /** Those that hold what it concerns, those that are signed in as its user, or the one that it names. */
  #connections(revocation: Revocation, concerned: readonly Concerned[]): readonly UserConnection[] {
    const { appId, target, exceptSocketId } = revocation;
    const { userId, channel, channelPrefix, socketId, grantId, key } = target;
    const connections = new Set<UserConnection>(concerned.map(({ subscriber }) => subscriber));
    const isOfConnection = [channel, channelPrefix, grantId, key].every((each) => each === undefined);
    if (isOfConnection && userId !== undefined) {
      for (const connection of this.#parts.users.of(appId, userId))
        if (socketId === undefined || connection.socketId === socketId) connections.add(connection);
    } else if (isOfConnection) {
      for (const connection of this.#parts.connections)
        if (connection.socketId === socketId && connection.app.id === appId) connections.add(connection);
    }
    return [...connections].filter((connection) => connection.socketId !== exceptSocketId);
  }

  #disconnect(
    revocation: Revocation,
    concerned: readonly Concerned[],
    connections: readonly UserConnection[],
  ): void {
    const { reason, isOfSignIns = false } = revocation;
    for (const connection of connections) connection.silence();
    void inTurns(concerned, (slice) => this.#record(revocation, slice));
    void inTurns(connections, (slice) => {
      for (const connection of slice) connection.expel(reason, isOfSignIns ? 'terminated' : 'grant_revoked');
    });
  }

  #reconnect({ reason, spreadMs = 0 }: Revocation, connections: readonly UserConnection[]): void {
    for (const connection of connections)
      this.#parts.access.reconnectWithin(spreadMs, {
        isCancelled: false,
        close: () => connection.reconnect('grant_revoked', reason),
      });
  }

  /** Tells the backend whose grants were taken back. */
  #record({ reason }: Revocation, concerned: readonly Concerned[]): void {
    const events: DomainEvent[] = [];
    for (const { topic, local, subscriber, subscription } of concerned) {
      if (local.channel.kind === 'public') continue;
      const { userId, grantId } = rightOf(local.app, local.channel.name, subscriber, subscription.grant);
      const { socketId } = subscriber;
      events.push({ kind: 'grantRevoked', topic, userId, grantId, socketId, reason });
    }
    // The journal reports its own failures.
    if (events.length > 0) this.#parts.journal.record(events)?.catch(() => {});
  }
}
