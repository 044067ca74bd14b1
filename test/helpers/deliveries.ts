import type { Actor } from './clients/actor.ts';

/** One event that somebody asked to publish, known by its data. */
export interface Published {
  readonly id: string;
  readonly channel: string;
  /** The moment at which it was asked for. */
  readonly began: number;
  /** The socket id that it is not for. */
  readonly except: string | undefined;
}

/** An event at the moment at which somebody received it who was in the channel all the time. */
export interface Delivered extends Published {
  readonly seen: number;
}

/** What the check needs of an actor. */
type Recorded = Pick<Actor, 'moments' | 'socketId'>;

/** One subscription of one actor. */
interface Period {
  /** The moment at which it was asked for. */
  readonly asked: number;
  /** The moment of its acknowledgement; 0 while there is none. */
  acknowledged: number;
  /** The moment at which its end was asked for, or Infinity. */
  ended: number;
  /** Whether the connection was cut off, so that what was on its way is lost. */
  cut: boolean;
  /** The events, in the order in which they came. */
  readonly ids: string[];
  /** Whether a cache channel told that it had kept nothing. */
  missed: boolean;
}

/** Cuts what happened to an actor in one channel into its subscriptions. */
function periodsOf(actor: Recorded, channel: string): readonly Period[] {
  const periods: Period[] = [];
  /** Who each acknowledgement to come is for: `undefined` for a subscription that stands already. */
  const expected: (Period | undefined)[] = [];
  let standing: Period | undefined;

  for (const moment of actor.moments) {
    if (moment.kind === 'closed') {
      if (standing) Object.assign(standing, { ended: moment.at, cut: true });
    } else if (moment.kind === 'received') {
      const { event, channel: where, data } = JSON.parse(moment.frame);
      if (where === channel) read(moment.at, event, data);
    } else if (moment.channel === channel && moment.what === 'unsubscribe') {
      if (standing) standing.ended = moment.at;
      standing = undefined;
    } else if (moment.channel === channel) {
      const { at: asked } = moment;
      const isNew = standing === undefined;
      standing ??= { asked, acknowledged: 0, ended: Infinity, cut: false, ids: [], missed: false };
      expected.push(isNew ? standing : undefined);
    }
  }
  return periods;

  function read(at: number, event: string, data: string): void {
    const period = periods.at(-1);
    if (event === 'pusher_internal:subscription_succeeded') {
      const begun = expected.shift();
      if (begun) periods.push(Object.assign(begun, { acknowledged: at }));
    } else if (!period) {
      throw new Error(`${event} came before any subscription to ${channel}`);
    } else if (event === 'pusher:cache_miss') {
      period.missed = true;
    } else if (!event.startsWith('pusher')) {
      period.ids.push(data);
    }
  }
}

/**
 * Checks that an actor received exactly the events between the acknowledgement and the end of each of its
 * subscriptions to a channel, in order, none twice.
 *
 * @param all the events of this channel, in the order of their delivery
 * @throws Error that names the event that should not be there, or should
 */
export function checkDeliveries(actor: Recorded, channel: string, all: readonly Delivered[]): void {
  const keepsLast = channel.startsWith('cache-');
  for (const period of periodsOf(actor, channel)) {
    const fail = (id: string, why: string): never => {
      const { asked, acknowledged, ended, ids } = period;
      throw new Error(`${id} ${why}: ${JSON.stringify({ channel, asked, acknowledged, ended, ids, all })}`);
    };
    const kept = keepsLast && !period.missed ? period.ids[0] : undefined;
    const places = period.ids.map((id) => all.findIndex((event) => event.id === id));
    const first = places[0] ?? all.length;
    const last = places.at(-1) ?? -1;
    const newestKept = period.missed ? -1 : first;

    for (const [index, { id, began, seen, except }] of all.entries()) {
      const isMine = except !== actor.socketId;
      const times = period.ids.filter((received) => received === id).length;
      if (times > 1) fail(id, 'came twice');
      if (times === 1 && id !== kept) {
        if (!isMine) fail(id, 'came to the one whom it is not for');
        if (seen < period.asked) fail(id, 'came although it was published before');
      }
      if (times === 1 || !isMine) continue;
      if (index > first && index < last) fail(id, 'was left out between two others');
      // A snapshot holds the newest event only: what is older than the kept event has been replaced by it, however
      // late others see it. What is newer, or follows a cache miss, must come.
      const isNewerThanKept = keepsLast && index > newestKept && seen > period.acknowledged;
      if ((began > period.acknowledged || isNewerThanKept) && seen < period.ended && !period.cut) {
        fail(id, 'did not come');
      }
      if (keepsLast && seen < period.asked && index > first) fail(id, 'is newer than what was kept');
      if (keepsLast && seen < period.asked && period.missed) fail(id, 'was kept, and yet missed');
    }
    for (const [n, place] of places.entries()) {
      if (place < 0) fail(period.ids[n]!, 'was never published');
      if (n > 0 && place <= places[n - 1]!) fail(period.ids[n]!, 'came out of order');
    }
  }
}
