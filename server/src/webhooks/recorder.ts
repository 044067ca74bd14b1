import { userChannel } from '@countersign/sdk-server/signature';
import type { Logger } from 'pino';
import type { DomainEvent, Journal } from '../adapter/journal.ts';
import { appOfTopic, channelOfTopic, type Topic } from '../adapter/topic.ts';
import type { AppStore } from '../apps/app.ts';
import type { WebhookEventName } from '../apps/hook.ts';
import { Unavailable } from '../errors.ts';
import { OutageLog } from '../log/outage-log.ts';
import type { Metrics } from '../metrics.ts';
import { announcedBy, type Edge, eventNamesOf, hooksFor, keyOf, laneOf } from './announced.ts';
import { type EventParts, newEvent, type WebhookEvent } from './event.ts';
import type { Announced, Change, Outbox } from './outbox/outbox.ts';
import { type PendingRemoval, PendingRemovals, type PresenceSource } from './pending-removals.ts';

export interface RecorderParts {
  readonly apps: AppStore;
  readonly outbox: Outbox;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds within which a return undoes a removal; 0 for none. */
  readonly graceMs: number;
  /** The same for what was there when the last process ended. */
  readonly restartGraceMs: number;
  /** `undefined` where everything is recorded, in the order in which it happened. */
  readonly presence?: PresenceSource | undefined;
}

/** When something happened, and where. */
export interface Origin {
  /** Unix milliseconds. */
  readonly at: number;
  /** Its process ends: those who leave may come back to another one, and have the time of a restart for that. */
  readonly isHandedOver: boolean;
}

/**
 * Turns what happens into what hooks want to be told. It keeps a ledger of what receivers have been told is there, so
 * that they hear of each coming and going once, also beyond a restart: what stands in the ledger when the process
 * starts goes unless it comes back.
 */
export class Recorder implements Journal {
  readonly #parts: RecorderParts;
  readonly #ledger = new Set<string>();
  readonly #removals: PendingRemovals;
  /** Those who were there without a record when it was looked last. */
  #unrecorded = new Set<string>();
  /** Of apps whose last commits failed. */
  readonly #outages = new Map<string, OutageLog>();
  #ended = false;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
    const { graceMs, restartGraceMs, presence, log } = parts;
    const onEnd = (departures: readonly PendingRemoval[]) => void this.#removeAll(departures);
    this.#removals = new PendingRemovals({ graceMs, restartGraceMs, presence, log, onEnd });
  }

  /** Begins to wait for what was there when the last process ended. */
  start(grace: 'usual' | 'restart'): void {
    for (const told of membersFirst(this.#parts.outbox.told())) {
      this.#ledger.add(keyOf(told));
      this.#depart(told, grace);
    }
  }

  /**
   * Compares the ledger with those who are there, where not everything is recorded: a node may have died before it had
   * told what it did. Who has gone without a record has left. Who is there without one has come, if that was so the
   * last time already: the record may be on its way.
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

  /** Tells of all who have left: they cannot come back any more, and no other process knows of them. */
  async end(): Promise<void> {
    this.#ended = true;
    const departures = this.#removals.take();
    await this.#removeAll(departures);
  }

  /** Forgets whom the receivers of an app were told of: the app is gone. */
  forgetApp(appId: string): void {
    for (const key of this.#ledger) {
      if (!key.startsWith(`${appId}:`)) continue;
      this.#ledger.delete(key);
      this.#removals.callOff(key);
    }
  }

  /** Tells of no removal any more: what is in the ledger is left to the next process. */
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
      case 'clientEvent': {
        const { name: event, data, userId, socketId } = happening;
        const parts = { event, data, user_id: userId, socket_id: socketId };
        return this.#tell(happening.topic, 'client_event', parts, origin);
      }
      case 'grantExpired': {
        const { userId, grantId, socketId } = happening;
        const parts = { user_id: userId, grant_id: grantId, socket_id: socketId, reason: 'expired' };
        return this.#tell(happening.topic, 'grant_expired', parts, origin);
      }
      case 'grantRevoked': {
        const { userId, grantId, socketId, reason } = happening;
        const parts = { user_id: userId, grant_id: grantId, socket_id: socketId, reason };
        return this.#tell(happening.topic, 'grant_revoked', parts, origin);
      }
      case 'cacheMiss':
        return this.#tell(happening.topic, 'cache_miss', {}, origin);
      case 'subscriptionCount':
        return this.#tell(
          happening.topic,
          'subscription_count',
          { subscription_count: happening.count },
          origin,
        );
    }
  }

  #tell(topic: Topic, name: WebhookEventName, parts: EventParts, { at }: Origin): Change | undefined {
    const appId = appOfTopic(topic);
    const channel = channelOfTopic(topic);
    const hooks = hooksFor(this.#parts.apps, appId, name, channel);
    if (hooks.length === 0) return undefined;
    return { appId, lane: channel, hooks, event: newEvent(at, name, channel, parts) };
  }

  #come(edge: Edge, { at }: Origin): Change | undefined {
    const told = announcedBy(edge);
    const key = keyOf(told);
    if (!this.#ledger.has(key)) return this.#changeOfComing(told, at, edge.socketId);
    // It was gone for so short a time that nobody was told.
    this.#removals.callOff(key);
    return undefined;
  }

  #go(edge: Edge, { at, isHandedOver }: Origin): Change | undefined {
    if (this.#ended) return undefined;
    const { graceMs, presence } = this.#parts;
    const { socketId: socket_id, reason } = edge;
    const told = announcedBy(edge);
    // Without a presence it came before any hook wanted to know; with one, the node on which it came may have died before
    // it had told. Either way hooks are told that it goes, and in the second case that it came, too.
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

  /** Records removals, those of each app by themselves: what refuses those of one app does not hold back the others. */
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
      await this.#commit(departures.map((departure) => this.#changeOfRemoval(departure)));
    } catch {
      // The ledger of the disk still has them: they go a little later, unless they have come back.
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
      await this.#commit(changes);
    } catch (error) {
      // With a presence, the events are still in the journal, or the next comparison finds them.
      for (const { appId, event } of this.#parts.presence ? [] : changes) {
        if (event) this.#parts.metrics.app(appId).webhookEventsLost += 1;
      }
      throw new Unavailable('Webhook events cannot be committed', { cause: error });
    }
  }

  async #commit(changes: readonly Change[]): Promise<void> {
    const appIds = new Set(changes.map(({ appId }) => appId));
    try {
      await this.#parts.outbox.append(changes);
    } catch (error) {
      for (const appId of appIds) this.#outageOf(appId).failed(error, { appId });
      throw error;
    }
    if (this.#outages.size === 0) return;
    for (const appId of appIds) {
      if (this.#outages.get(appId)?.succeeded({ appId })) this.#outages.delete(appId);
    }
  }

  #outageOf(appId: string): OutageLog {
    let outage = this.#outages.get(appId);
    if (!outage) {
      const { log } = this.#parts;
      outage = new OutageLog(
        log,
        'webhook events could not be committed',
        'webhook events are committed again',
      );
      this.#outages.set(appId, outage);
    }
    return outage;
  }
}

/** A member has left before the channel is vacated. */
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
