import { userChannel } from '@countersign/sdk-server/signature';
import type { Logger } from 'pino';
import type { DomainEvent, Journal } from '../adapter/journal.ts';
import type { AppStore } from '../apps/app.ts';
import { Unavailable } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import { announcedBy, type Edge, eventNamesOf, hooksFor, keyOf, laneOf } from './announced.ts';
import { CommitsByApp } from './commits-by-app.ts';
import { type EventParts, newEvent, type WebhookEvent } from './event.ts';
import type { Announced, Change, Outbox } from './outbox/outbox.ts';
import { type PendingRemoval, PendingRemovals, type PresenceSource } from './pending-removals.ts';
import { changeOfSingle } from './single-events.ts';

export interface RecorderParts {
  readonly apps: AppStore;
  readonly outbox: Outbox;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds within which a return cancels a removal; 0 for none. */
  readonly graceMs: number;
  /** The same for what was present when the last process ended. */
  readonly restartGraceMs: number;
  /** `undefined` if every event is recorded in order. */
  readonly presence?: PresenceSource | undefined;
}

/** Time and origin of an event. */
export interface Origin {
  /** Unix milliseconds. */
  readonly at: number;
  /** Whether the process is ending: clients that leave have the grace time of a restart to return to another one. */
  readonly isHandedOver: boolean;
}

/**
 * Turns domain events into webhook events. A ledger holds what was announced to receivers as present, so that each
 * arrival and departure is announced once, also across a restart: what is in the ledger when the process starts is
 * announced as gone unless it returns.
 */
export class Recorder implements Journal {
  readonly #parts: RecorderParts;
  readonly #ledger = new Set<string>();
  readonly #removals: PendingRemovals;
  /** What the last comparison found present but not recorded. */
  #unrecorded = new Set<string>();
  readonly #commits: CommitsByApp;
  #ended = false;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
    this.#commits = new CommitsByApp(parts.outbox, parts.log);
    const { graceMs, restartGraceMs, presence, log } = parts;
    const onEnd = (departures: readonly PendingRemoval[]) => void this.#removeAll(departures);
    this.#removals = new PendingRemovals({ graceMs, restartGraceMs, presence, log, onEnd });
  }

  /** Starts to wait for what was present when the last process ended. */
  start(grace: 'usual' | 'restart'): void {
    for (const told of membersFirst(this.#parts.outbox.told())) {
      this.#ledger.add(keyOf(told));
      this.#depart(told, grace);
    }
  }

  /**
   * Compares the ledger with the presence, because a node may have died before it recorded an event. What is in the
   * ledger but not present has left. What is present but not in the ledger has arrived if the last comparison found
   * the same; otherwise its record may still be on its way.
   */
  async compare(present: ReadonlyMap<string, Announced>): Promise<void> {
    const before = this.#unrecorded;
    this.#unrecorded = new Set();
    for (const told of membersFirst(this.#parts.outbox.told())) {
      const key = keyOf(told);
      if (!present.has(key) && !this.#removals.has(key)) this.#depart(told, 'usual');
    }
    const changes: Change[] = [];
    for (const [key, told] of present) {
      if (this.#ledger.has(key)) continue;
      const change = before.has(key) ? this.#changeOfComing(told, this.#parts.now()) : undefined;
      if (change) changes.push(change);
      else this.#unrecorded.add(key);
    }
    if (changes.length > 0) await this.#append(changes);
  }

  record(
    happenings: readonly DomainEvent[],
    origin: Origin = { at: this.#parts.now(), isHandedOver: false },
  ): Promise<void> | undefined {
    const changes: Change[] = [];
    for (const happening of happenings) {
      const change = this.#changeOf(happening, origin);
      if (change) changes.push(change);
    }
    return changes.length === 0 ? undefined : this.#append(changes);
  }

  /** Announces all departures: nobody can return any more, and no other process knows about them. */
  async end(): Promise<void> {
    this.#ended = true;
    const departures = this.#removals.take();
    await this.#removeAll(departures);
  }

  /** Forgets the ledger of an app, which is gone. */
  forgetApp(appId: string): void {
    this.#commits.forgetApp(appId);
    for (const key of this.#ledger) {
      if (!key.startsWith(`${appId}:`)) continue;
      this.#ledger.delete(key);
      this.#removals.callOff(key);
    }
  }

  /** Announces no further removal: the ledger is left to the next process. */
  close(): void {
    this.#ended = true;
    this.#removals.close();
  }

  #changeOf(happening: DomainEvent, origin: Origin): Change | undefined {
    switch (happening.kind) {
      case 'occupied':
      case 'memberAdded':
      case 'userOnline':
        return this.#come(happening, origin);
      case 'vacated':
      case 'memberRemoved':
      case 'userOffline':
        return this.#go(happening, origin);
      default:
        return changeOfSingle(this.#parts.apps, happening, origin.at);
    }
  }

  #come(edge: Edge, { at }: Origin): Change | undefined {
    const told = announcedBy(edge);
    const key = keyOf(told);
    if (!this.#ledger.has(key)) return this.#changeOfComing(told, at, edge.socketId);
    // It returned before its departure was announced.
    this.#removals.callOff(key);
    return undefined;
  }

  #go(edge: Edge, { at, isHandedOver }: Origin): Change | undefined {
    if (this.#ended) return undefined;
    const { graceMs, presence } = this.#parts;
    const { socketId: socket_id, reason } = edge;
    const told = announcedBy(edge);
    // Without a presence it arrived before any hook was configured for it; with one, its node may have died before it
    // recorded the arrival. In both cases the departure is announced, and in the second the arrival, too.
    const isKnown = this.#ledger.has(keyOf(told));
    const coming = isKnown ? undefined : this.#changeOfComing(told, at, socket_id);
    if (!isKnown && !coming) return undefined;
    const departure = { told, event: this.#removalOf(told, at, { socket_id, reason }) };
    if (graceMs === 0 && !presence) return this.#changeOfRemoval(departure);
    this.#removals.begin(departure, isHandedOver ? 'restart' : 'usual');
    return presence && coming;
  }

  #depart(told: Announced, grace: 'usual' | 'restart'): void {
    const event = this.#removalOf(told, this.#parts.now(), { reason: 'disconnected' });
    this.#removals.begin({ told, event }, grace);
  }

  #removalOf(told: Announced, at: number, parts: Pick<EventParts, 'socket_id' | 'reason'>): WebhookEvent {
    return newEvent(at, eventNamesOf(told).removed, channelOf(told), { ...userOf(told), ...parts });
  }

  #changeOfComing(told: Announced, at: number, socket_id?: string): Change | undefined {
    const { apps } = this.#parts;
    const { added, removed } = eventNamesOf(told);
    const channel = told.channel || undefined;
    const hooks = hooksFor(apps, told.appId, added, channel);
    if (hooks.length === 0 && hooksFor(apps, told.appId, removed, channel).length === 0) return undefined;
    this.#ledger.add(keyOf(told));
    const event =
      hooks.length > 0 ? newEvent(at, added, channelOf(told), { ...userOf(told), socket_id }) : undefined;
    return { appId: told.appId, lane: laneOf(told), hooks, event, ledger: { told, is: 'there' } };
  }

  #changeOfRemoval({ told, event }: PendingRemoval): Change {
    this.#ledger.delete(keyOf(told));
    const hooks = hooksFor(
      this.#parts.apps,
      told.appId,
      eventNamesOf(told).removed,
      told.channel || undefined,
    );
    return {
      appId: told.appId,
      lane: laneOf(told),
      hooks,
      event: hooks.length > 0 ? event : undefined,
      ledger: { told, is: 'gone' },
    };
  }

  /** Records removals app by app, so that a failure for one app does not hold up the others. */
  async #removeAll(departures: readonly PendingRemoval[]): Promise<void> {
    const byApp = new Map<string, PendingRemoval[]>();
    for (const departure of departures) {
      const { appId } = departure.told;
      const ofApp = byApp.get(appId);
      if (ofApp) ofApp.push(departure);
      else byApp.set(appId, [departure]);
    }
    await Promise.all([...byApp.values()].map((each) => this.#remove(each)));
  }

  async #remove(departures: readonly PendingRemoval[]): Promise<void> {
    try {
      await this.#commits.append(departures.map((departure) => this.#changeOfRemoval(departure)));
    } catch {
      // The ledger on disk still has them: they are removed a little later, unless they have returned.
      for (const departure of departures) {
        const key = keyOf(departure.told);
        if (this.#ended || this.#ledger.has(key)) continue;
        this.#ledger.add(key);
        this.#removals.retry(departure);
      }
    }
  }

  async #append(changes: readonly Change[]): Promise<void> {
    try {
      await this.#commits.append(changes);
    } catch (error) {
      // With a presence, the events are still in the journal, or the next comparison finds them.
      for (const { appId, event } of this.#parts.presence ? [] : changes) {
        if (event) this.#parts.metrics.app(appId).webhookEventsLost += 1;
      }
      throw new Unavailable('Webhook events cannot be committed', { cause: error });
    }
  }
}

/** Members leave before their channel is vacated. */
function membersFirst(told: readonly Announced[]): readonly Announced[] {
  return told.toSorted((a, b) => Number(a.userId === '') - Number(b.userId === ''));
}

/** The channel of an event; for an online user, the channel of that user. */
function channelOf({ channel, userId }: Announced): string {
  return channel || userChannel(userId);
}

function userOf({ userId }: Announced): EventParts {
  return { user_id: userId || undefined };
}
