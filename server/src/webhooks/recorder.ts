import type { Logger } from 'pino';
import { appOfTopic, channelOfTopic, type Topic } from '../adapter/adapter.ts';
import type { Happening, Journal } from '../adapter/journal.ts';
import type { AppStore } from '../apps/app.ts';
import type { WebhookEventName } from '../apps/hook.ts';
import { type EventParts, newEvent, type WebhookEvent } from './event.ts';
import { Grace } from './grace.ts';
import type { Change, Outbox, Told } from './outbox.ts';
import { type Edge, hooksFor, keyOf, laneOf, sidesOf, toldOf } from './told.ts';

export interface RecorderParts {
  readonly apps: AppStore;
  readonly outbox: Outbox;
  readonly log: Logger;
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds within which a return undoes a removal; 0 for none. */
  readonly graceMs: number;
  /** The same for what was there when the last process ended. */
  readonly restartGraceMs: number;
  /** `undefined` where everything is recorded, in the order in which it happened. */
  readonly witness?: Witness | undefined;
}

/**
 * Knows who is there. Of what happens on several nodes some is recorded late, or never, if the node dies with it; so
 * nobody is told of a removal before the witness was asked.
 */
export interface Witness {
  /** Those who are not there. */
  gone(told: readonly Told[]): Promise<ReadonlySet<Told>>;
}

/** Something that receivers had been told is there has gone, and may come back. */
interface Removal {
  readonly told: Told;
  readonly event: WebhookEvent;
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
  readonly #leaving: Grace<Removal>;
  readonly #left: Grace<Removal>;
  /** Removals of which the witness is asked; those who come back meanwhile are taken out. */
  readonly #doubted = new Set<string>();
  #ended = false;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
    const remove = (removals: readonly Removal[]) => void this.#remove(removals);
    this.#leaving = new Grace(parts.graceMs, remove);
    this.#left = new Grace(parts.restartGraceMs, remove);
  }

  /**
   * Begins to wait for what receivers were told is there: at the start, when it may have gone with the last process;
   * where there is a witness also later, for what has gone without a record.
   */
  review(): void {
    // Members and users first: a member has left before the channel is vacated.
    const told = this.#parts.outbox
      .told()
      .toSorted((a, b) => Number(a.userId === '') - Number(b.userId === ''));
    const now = this.#parts.now();
    for (const each of told) {
      const key = keyOf(each);
      if (this.#isLeaving(key)) continue;
      this.#ledger.add(key);
      this.#left.begin(key, { told: each, event: this.#removalOf(each, now, { reason: 'disconnected' }) });
    }
  }

  record(
    happenings: readonly Happening[],
    origin: Origin = { at: this.#parts.now(), isHandedOver: false },
  ): Promise<void> | undefined {
    const changes: Change[] = [];
    for (const happening of happenings) {
      const change = this.#changeOf(happening, origin);
      if (change) changes.push(change);
    }
    return changes.length === 0 ? undefined : this.#append(changes);
  }

  /** Tells of no removal any more: what is in the ledger is left to the next process. */
  close(): void {
    this.#ended = true;
    this.#leaving.close();
    this.#left.close();
  }

  #changeOf(happening: Happening, origin: Origin): Change | undefined {
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
    return { appId, lane: channel, hooks, event: newEvent(at, name, { channel, ...parts }) };
  }

  #come(edge: Edge, { at }: Origin): Change | undefined {
    const { apps } = this.#parts;
    const told = toldOf(edge);
    const key = keyOf(told);
    if (this.#ledger.has(key)) {
      // It was gone for so short a time that nobody was told.
      this.#leaving.callOff(key);
      this.#left.callOff(key);
      this.#doubted.delete(key);
      return undefined;
    }
    const { added, removed } = sidesOf(told);
    const channel = told.channel || undefined;
    const hooks = hooksFor(apps, told.appId, added, channel);
    if (hooks.length === 0 && hooksFor(apps, told.appId, removed, channel).length === 0) return undefined;
    this.#ledger.add(key);
    const parts = { channel, user_id: told.userId || undefined, socket_id: edge.socketId };
    const event = hooks.length > 0 ? newEvent(at, added, parts) : undefined;
    return { appId: told.appId, lane: laneOf(told), hooks, event, ledger: { told, is: 'there' } };
  }

  #go(edge: Edge, { at, isHandedOver }: Origin): Change | undefined {
    const { apps, graceMs, witness } = this.#parts;
    const { socketId: socket_id, reason } = edge;
    const told = toldOf(edge);
    const key = keyOf(told);
    if (!this.#ledger.has(key)) {
      // Its coming is on its way from another node; when it is here, the witness knows that it has gone again.
      if (witness) return undefined;
      // It came before any hook wanted to know; one that does by now is told all the same.
      if (hooksFor(apps, told.appId, sidesOf(told).removed, told.channel || undefined).length === 0)
        return undefined;
      this.#ledger.add(key);
    }
    if (this.#ended) return undefined;
    const removal = { told, event: this.#removalOf(told, at, { socket_id, reason }) };
    if (graceMs === 0 && !isHandedOver && !witness) return this.#changeOfRemoval(removal);
    this.#left.callOff(key);
    this.#leaving.callOff(key);
    (isHandedOver ? this.#left : this.#leaving).begin(key, removal);
    return undefined;
  }

  #removalOf(told: Told, at: number, parts: Pick<EventParts, 'socket_id' | 'reason'>): WebhookEvent {
    return newEvent(at, sidesOf(told).removed, {
      channel: told.channel || undefined,
      user_id: told.userId || undefined,
      ...parts,
    });
  }

  #changeOfRemoval({ told, event }: Removal): Change {
    this.#ledger.delete(keyOf(told));
    const hooks = hooksFor(this.#parts.apps, told.appId, sidesOf(told).removed, told.channel || undefined);
    return {
      appId: told.appId,
      lane: laneOf(told),
      hooks,
      event: hooks.length > 0 ? event : undefined,
      ledger: { told, is: 'gone' },
    };
  }

  async #remove(removals: readonly Removal[]): Promise<void> {
    const { witness } = this.#parts;
    const certain = witness ? await this.#confirm(removals, witness) : removals;
    if (this.#ended || certain.length === 0) return;
    try {
      await this.#append(certain.map((removal) => this.#changeOfRemoval(removal)));
    } catch {
      // The ledger of the disk still has them: they go a little later, unless they have come back.
      for (const removal of certain) {
        const key = keyOf(removal.told);
        if (this.#ended || this.#ledger.has(key)) continue;
        this.#ledger.add(key);
        this.#leaving.begin(key, removal);
      }
    }
  }

  /** Those of whom the witness says that they are gone, and who have not come back while it was asked. */
  async #confirm(removals: readonly Removal[], witness: Witness): Promise<readonly Removal[]> {
    const { log } = this.#parts;
    const standing = removals.filter(({ told }) => this.#ledger.has(keyOf(told)));
    for (const { told } of standing) this.#doubted.add(keyOf(told));
    try {
      const gone = await witness.gone(standing.map(({ told }) => told));
      return standing.filter(({ told }) => this.#doubted.delete(keyOf(told)) && gone.has(told));
    } catch (error) {
      log.warn({ err: error, removals: standing.length }, 'webhook removals wait: nobody knows who is there');
      for (const removal of standing) {
        const key = keyOf(removal.told);
        if (this.#doubted.delete(key) && !this.#ended) this.#leaving.begin(key, removal);
      }
      return [];
    }
  }

  #isLeaving(key: string): boolean {
    return this.#leaving.has(key) || this.#left.has(key) || this.#doubted.has(key);
  }

  async #append(changes: readonly Change[]): Promise<void> {
    try {
      await this.#parts.outbox.append(changes);
    } catch (error) {
      this.#parts.log.error({ err: error, events: changes.length }, 'webhook events could not be committed');
      throw error;
    }
  }
}
