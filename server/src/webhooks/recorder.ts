import type { Logger } from 'pino';
import { appOfTopic, channelOfTopic, type Topic } from '../adapter/adapter.ts';
import type { Happening, Journal } from '../adapter/journal.ts';
import type { AppStore } from '../apps/app.ts';
import type { Hook, WebhookEventName } from '../apps/hook.ts';
import { type EventParts, newEvent, type WebhookEvent } from './event.ts';
import { Grace } from './grace.ts';
import type { Change, Outbox, Told } from './outbox.ts';

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
}

/** Something that receivers had been told is there has gone, and may come back. */
interface Removal {
  readonly told: Told;
  readonly event: WebhookEvent;
}

/** The names under which something comes and goes. */
interface Sides {
  readonly added: WebhookEventName;
  readonly removed: WebhookEventName;
}

const CHANNEL: Sides = { added: 'channel_occupied', removed: 'channel_vacated' };
const MEMBER: Sides = { added: 'member_added', removed: 'member_removed' };
const USER: Sides = { added: 'user_online', removed: 'user_offline' };

/** What comes or goes. */
type Edge = Exclude<
  Happening,
  { kind: 'clientEvent' } | { kind: 'cacheMiss' } | { kind: 'subscriptionCount' }
>;

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
  #ended = false;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
    const remove = (removals: readonly Removal[]) => void this.#remove(removals);
    this.#leaving = new Grace(parts.graceMs, remove);
    this.#left = new Grace(parts.restartGraceMs, remove);
  }

  /** Begins to wait for what was there when the last process ended. */
  start(): void {
    // Members and users first: a member has left before the channel is vacated.
    const told = this.#parts.outbox
      .told()
      .toSorted((a, b) => Number(a.userId === '') - Number(b.userId === ''));
    for (const each of told) {
      const key = keyOf(each);
      this.#ledger.add(key);
      this.#left.begin(key, { told: each, event: this.#removalOf(each, { reason: 'disconnected' }) });
    }
  }

  record(happenings: readonly Happening[]): Promise<void> | undefined {
    const changes: Change[] = [];
    for (const happening of happenings) {
      const change = this.#changeOf(happening);
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

  #changeOf(happening: Happening): Change | undefined {
    switch (happening.kind) {
      case 'occupied':
      case 'memberAdded':
      case 'userOnline':
        return this.#come(happening);
      case 'vacated':
      case 'memberRemoved':
      case 'userOffline':
        return this.#go(happening);
      case 'clientEvent': {
        const { name: event, data, userId, socketId } = happening;
        return this.#tell(happening.topic, 'client_event', {
          event,
          data,
          user_id: userId,
          socket_id: socketId,
        });
      }
      case 'cacheMiss':
        return this.#tell(happening.topic, 'cache_miss', {});
      case 'subscriptionCount':
        return this.#tell(happening.topic, 'subscription_count', { subscription_count: happening.count });
    }
  }

  #tell(topic: Topic, name: WebhookEventName, parts: EventParts): Change | undefined {
    const appId = appOfTopic(topic);
    const channel = channelOfTopic(topic);
    const hooks = this.#hooks(appId, name, channel);
    if (hooks.length === 0) return undefined;
    return { appId, lane: channel, hooks, event: newEvent(this.#parts.now(), name, { channel, ...parts }) };
  }

  #come(happening: Edge): Change | undefined {
    const told = toldOf(happening);
    const key = keyOf(told);
    if (this.#ledger.has(key)) {
      // It was gone for so short a time that nobody was told.
      this.#leaving.callOff(key);
      this.#left.callOff(key);
      return undefined;
    }
    const { added, removed } = sidesOf(told);
    const channel = told.channel || undefined;
    const hooks = this.#hooks(told.appId, added, channel);
    if (hooks.length === 0 && this.#hooks(told.appId, removed, channel).length === 0) return undefined;
    this.#ledger.add(key);
    const parts = { channel, user_id: told.userId || undefined, socket_id: happening.socketId };
    const event = hooks.length > 0 ? newEvent(this.#parts.now(), added, parts) : undefined;
    return { appId: told.appId, lane: laneOf(told), hooks, event, ledger: { told, is: 'there' } };
  }

  #go(happening: Edge): Change | undefined {
    const { socketId: socket_id, reason } = happening;
    const told = toldOf(happening);
    const key = keyOf(told);
    if (!this.#ledger.has(key)) {
      // It came before any hook wanted to know; one that does by now is told all the same.
      if (this.#hooks(told.appId, sidesOf(told).removed, told.channel || undefined).length === 0)
        return undefined;
      this.#ledger.add(key);
    }
    if (this.#ended) return undefined;
    const removal = { told, event: this.#removalOf(told, { socket_id, reason }) };
    if (this.#parts.graceMs === 0) return this.#changeOfRemoval(removal);
    this.#leaving.begin(key, removal);
    return undefined;
  }

  #removalOf(told: Told, parts: Pick<EventParts, 'socket_id' | 'reason'>): WebhookEvent {
    return newEvent(this.#parts.now(), sidesOf(told).removed, {
      channel: told.channel || undefined,
      user_id: told.userId || undefined,
      ...parts,
    });
  }

  #changeOfRemoval({ told, event }: Removal): Change {
    this.#ledger.delete(keyOf(told));
    const hooks = this.#hooks(told.appId, sidesOf(told).removed, told.channel || undefined);
    return {
      appId: told.appId,
      lane: laneOf(told),
      hooks,
      event: hooks.length > 0 ? event : undefined,
      ledger: { told, is: 'gone' },
    };
  }

  async #remove(removals: readonly Removal[]): Promise<void> {
    try {
      await this.#append(removals.map((removal) => this.#changeOfRemoval(removal)));
    } catch {
      // The ledger of the disk still has them: they go a little later, unless they have come back.
      for (const removal of removals) {
        const key = keyOf(removal.told);
        if (this.#ended || this.#ledger.has(key)) continue;
        this.#ledger.add(key);
        this.#leaving.begin(key, removal);
      }
    }
  }

  async #append(changes: readonly Change[]): Promise<void> {
    try {
      await this.#parts.outbox.append(changes);
    } catch (error) {
      this.#parts.log.error({ err: error, events: changes.length }, 'webhook events could not be committed');
      throw error;
    }
  }

  #hooks(appId: string, name: WebhookEventName, channel: string | undefined): readonly Hook[] {
    const hooks = this.#parts.apps.byId(appId)?.hooks;
    return hooks ? hooks.filter((hook) => hook.wants(name, channel)) : [];
  }
}

function toldOf(happening: Edge): Told {
  switch (happening.kind) {
    case 'userOnline':
    case 'userOffline':
      return { appId: happening.appId, channel: '', userId: happening.userId };
    case 'occupied':
    case 'vacated':
      return { appId: appOfTopic(happening.topic), channel: channelOfTopic(happening.topic), userId: '' };
    case 'memberAdded':
    case 'memberRemoved': {
      const { topic, userId } = happening;
      return { appId: appOfTopic(topic), channel: channelOfTopic(topic), userId };
    }
  }
}

function sidesOf({ channel, userId }: Told): Sides {
  if (channel === '') return USER;
  return userId === '' ? CHANNEL : MEMBER;
}

/** Users and channels cannot be mistaken for each other, since no channel begins like this. */
function laneOf({ channel, userId }: Told): string {
  return channel === '' ? `#user-${userId}` : channel;
}

/** The id of a user may hold any text, so it stands last. */
function keyOf({ appId, channel, userId }: Told): string {
  return `${appId}:${channel}:${userId}`;
}
