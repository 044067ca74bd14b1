import type { Logger } from 'pino';
import { type Access, rightOf } from '../../access/access.ts';
import { isTarget, revoked } from '../../access/revocation-book.ts';
import type { Adapter } from '../../adapter/adapter.ts';
import type { DomainEvent, Journal } from '../../adapter/journal.ts';
import { type Answers, NOTHING_DONE, type NodeAnswer, type Question } from '../../adapter/questions.ts';
import { keptUntil, type Revocation, type RevocationBounds } from '../../adapter/revocations.ts';
import { appOfTopic } from '../../adapter/topic.ts';
import type { AppStore } from '../../apps/app.ts';
import { Unavailable } from '../../errors.ts';
import type { FlightRecorder, Recordable } from '../../recorder/flight-recorder.ts';
import type { Channels } from '../channels.ts';
import { concernedConnections } from '../concerned-connections.ts';
import type { LocalChannel } from '../local-channel.ts';
import type { Subscriber } from '../subscriber.ts';
import type { UserConnection, Users } from '../users.ts';
import type { Concerned } from './concerned.ts';
import type { Endings } from './endings.ts';
import { heldGrants } from './held-grants.ts';
import { recheck } from './recheck.ts';

/** A connection of this process. */
export interface LocalConnection extends UserConnection, Recordable {
  readonly app: { readonly id: string };
  readonly openedAfter: number;
}

/** Milliseconds between two sweeps of revocations that are over. */
const SWEEP_MS = 30_000;
/** Milliseconds after which a failed read of what is kept is repeated. */
const RETRY_MS = 1000;

/** What came of a revocation. */
export interface Outcome extends Answers {
  /** `full`: there was no room, so it has effect, but is not remembered; `failed`: it could not be kept for another reason. */
  readonly kept: 'kept' | 'full' | 'failed';
}

export interface RevokerParts {
  readonly adapter: Adapter;
  readonly access: Access;
  readonly apps: AppStore;
  readonly channels: Channels;
  readonly endings: Endings;
  readonly users: Users;
  readonly journal: Journal;
  readonly recorder: FlightRecorder;
  readonly log: Logger;
  /** The connections of this process. */
  readonly connections: Iterable<LocalConnection>;
}

/** Takes back what connections of this process hold, and lets all processes do the same. */
export class Revoker {
  readonly #parts: RevokerParts;
  readonly #sweep: NodeJS.Timeout;
  #retry: NodeJS.Timeout | undefined;

  constructor(parts: RevokerParts) {
    this.#parts = parts;
    this.#sweep = setInterval(() => this.#forget(), SWEEP_MS).unref();
  }

  /** Reads what is kept, now and until it succeeds. Until then, nobody is let in. */
  async start(): Promise<void> {
    clearTimeout(this.#retry);
    try {
      await this.load();
    } catch (error) {
      this.#parts.access.revocations.isIncomplete = true;
      this.#parts.log.warn({ err: error }, 'revocations not read; will retry');
      this.#retry = setTimeout(() => void this.start(), RETRY_MS).unref();
    }
  }

  /** Reads what is kept, and does what this process has missed. */
  async load(): Promise<void> {
    const { adapter, access } = this.#parts;
    const known = new Set(access.revocations.ids());
    const kept = new Set<string>();
    let cursor: string | undefined;
    do {
      const page = await adapter.revocations.page(cursor);
      for (const revocation of page.revocations) {
        kept.add(revocation.id);
        if (access.revocations.has(revocation)) access.revocations.replace(revocation);
        else void this.#apply(revocation);
      }
      cursor = page.cursor;
    } while (cursor !== undefined);
    // What came while it was read is not in the pages.
    for (const id of known) if (!kept.has(id)) access.revocations.forget(id);
    access.revocations.isIncomplete = false;
  }

  /**
   * Takes rights back, on all nodes.
   *
   * @throws Unavailable if nobody could be told
   */
  async revoke(revocation: Revocation, bounds: RevocationBounds): Promise<Outcome> {
    const { adapter } = this.#parts;
    const kept =
      keptUntil(revocation) === 0
        ? 'kept'
        : await adapter.revocations.keep(revocation, bounds).then(
            (hasRoom) => (hasRoom ? 'kept' : 'full'),
            () => 'failed' as const,
          );
    const remembered = { ...revocation, outlawsUntil: undefined, blockedUntil: undefined };
    const told = kept === 'kept' ? revocation : remembered;
    return { kept, ...(await adapter.nodes.ask({ kind: 'revoke', revocation: told })) };
  }

  /**
   * Lets whom a revocation blocks in again, on all nodes.
   *
   * @returns whether there is such a revocation
   */
  async lift(appId: string, id: string, bounds: RevocationBounds): Promise<boolean> {
    const { adapter, access } = this.#parts;
    const revocation = access.revocations.find(appId, id);
    if (!revocation) return false;
    const lifted = { ...revocation, blockedUntil: undefined };
    if (keptUntil(lifted) > 0) await adapter.revocations.keep(lifted, bounds);
    else await adapter.revocations.forget(appId, id);
    await adapter.nodes.ask({ kind: 'lift', appId, id });
    return true;
  }

  /**
   * Whether a user may not sign in to an app.
   *
   * @throws Unavailable if that is not known
   */
  isBlocked(appId: string, userId: string): boolean {
    const { revocations } = this.#parts.access;
    if (revocations.isIncomplete) throw new Unavailable('What was revoked is not known yet');
    return revocations.isBlocked(appId, userId);
  }

  /** The revocations of an app that are in force, oldest first. */
  list(appId: string): readonly Revocation[] {
    return this.#parts.access.revocations.list(appId);
  }

  async answer(question: Question): Promise<NodeAnswer> {
    const { recorder } = this.#parts;
    switch (question.kind) {
      case 'revoke':
        return this.#apply(question.revocation);
      case 'lift':
        this.#parts.access.revocations.lift(question.appId, question.id);
        return NOTHING_DONE;
      case 'supersede':
        this.#parts.users.supersede(question);
        return NOTHING_DONE;
      case 'held':
        return { ...NOTHING_DONE, held: heldGrants(this.#parts.channels, question) };
      case 'keyUses':
        return { ...NOTHING_DONE, keyUses: this.#parts.apps.byId(question.appId)?.keyUses.lastUses ?? {} };
      case 'record': {
        const { connections, channels } = this.#parts;
        const { appId } = question.recording;
        recorder.begin(question.recording, (target) =>
          concernedConnections(appId, target, connections, channels),
        );
        return NOTHING_DONE;
      }
      case 'recorded': {
        const { appId, id, after, limit } = question;
        const steps = id === undefined ? [] : recorder.steps(appId, id, after, limit);
        return { ...NOTHING_DONE, recordings: recorder.states(appId, id), steps };
      }
      case 'forgetRecording':
        recorder.forget(question.appId, question.id);
        return NOTHING_DONE;
    }
  }

  /** Makes all who hold a right prove it again. */
  proveAgain(): void {
    const { channels, users } = this.#parts;
    const reason = 'The node may have missed what was revoked';
    users.renew(reason);
    for (const [, local] of [...channels.all()]) {
      if (local.channel.kind === 'public') continue;
      for (const [subscriber] of [...local.all()]) subscriber.reconnect('out_of_sync', reason);
    }
  }

  close(): void {
    clearInterval(this.#sweep);
    clearTimeout(this.#retry);
  }

  /** Nothing is awaited before all has been taken back. */
  async #apply(revocation: Revocation): Promise<NodeAnswer> {
    const { access } = this.#parts;
    access.revocations.add(revocation);
    const concerned = revocation.isOfSignIns ? [] : this.#concerned(revocation);
    if (revocation.action === 'recheck') {
      return { ...NOTHING_DONE, unanswered: await recheck(this.#parts, concerned) };
    }
    if (revocation.action !== 'reconnect') this.#record(revocation, concerned);
    if (revocation.action === 'end') {
      this.#end(revocation, concerned);
      return { ...NOTHING_DONE, subscriptions: concerned.length };
    }
    const connections = this.#connections(revocation, concerned);
    this.#close(revocation, connections);
    return { ...NOTHING_DONE, subscriptions: concerned.length, connections: connections.size };
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
    const why = revoked(revocation);
    const { userId, grantId, key } = revocation.target;
    const isOfUser = userId !== undefined && grantId === undefined && key === undefined;
    const subscribers = new Map<LocalChannel, Set<Subscriber>>();
    for (const { local, subscriber } of concerned) {
      const ending = subscribers.get(local) ?? new Set();
      subscribers.set(local, ending.add(subscriber));
      if (isOfUser) this.#parts.access.lose(subscriber, local.channel.name, revocation);
    }
    for (const { topic, local } of concerned) {
      const ending = subscribers.get(local);
      if (!ending) continue;
      subscribers.delete(local);
      this.#parts.endings.end(topic, local, why, (subscriber) => ending.has(subscriber));
    }
  }

  /** Those that hold what it concerns, those that are signed in as its user, or the one that it names. */
  #connections(revocation: Revocation, concerned: readonly Concerned[]): Set<UserConnection> {
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
    for (const connection of connections)
      if (connection.socketId === exceptSocketId) connections.delete(connection);
    return connections;
  }

  #close(
    { action, reason, isOfSignIns = false, spreadMs = 0 }: Revocation,
    connections: ReadonlySet<UserConnection>,
  ): void {
    for (const connection of connections) {
      if (action === 'disconnect') connection.expel(reason, isOfSignIns ? 'terminated' : 'grant_revoked');
      else
        this.#parts.access.reconnectWithin(spreadMs, {
          isCancelled: false,
          close: () => connection.reconnect('grant_revoked', reason),
        });
    }
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

  /** Forgets revocations that are over. Connections that are older than one of them come back, so that no signature that they were given before it counts. */
  #forget(): void {
    const forgotten = this.#parts.access.revocations.sweep();
    if (forgotten.size === 0) return;
    for (const connection of [...this.#parts.connections]) {
      if (connection.openedAfter < (forgotten.get(connection.app.id) ?? 0))
        connection.reconnect('connection_age', 'The connection is old: please reconnect');
    }
  }
}
