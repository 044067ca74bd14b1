import { appOfTopic, channelOfTopic, type Topic } from '../adapter/topic.ts';
import type { AppCounts } from '../hub/channels.ts';
import { zeroOfEachKind } from '../metrics.ts';
import { readChannel } from '../protocol/channel.ts';

/** A seat that a connection of a worker has taken. */
interface TakenSeat<Holder> {
  readonly holder: Holder;
  /** The member who holds it, in a presence channel. */
  readonly userId: string | undefined;
}

/** Which worker holds which seats. */
export class SeatIndex<Holder> {
  /** By socket id. */
  readonly #topics = new Map<Topic, Map<string, TakenSeat<Holder>>>();

  add(topic: Topic, socketId: string, seat: TakenSeat<Holder>): void {
    const seats = this.#topics.get(topic);
    if (seats) seats.set(socketId, seat);
    else this.#topics.set(topic, new Map([[socketId, seat]]));
  }

  remove(topic: Topic, socketId: string): void {
    const seats = this.#topics.get(topic);
    if (seats?.delete(socketId) && seats.size === 0) this.#topics.delete(topic);
  }

  /** Removes all seats of one holder, and returns them. */
  clear(holder: Holder): { readonly topic: Topic; readonly socketIds: readonly string[] }[] {
    const cleared = [];
    for (const [topic, seats] of this.#topics) {
      const socketIds = [...seats].filter(([, seat]) => seat.holder === holder).map(([id]) => id);
      if (socketIds.length === 0) continue;
      for (const socketId of socketIds) this.remove(topic, socketId);
      cleared.push({ topic, socketIds });
    }
    return cleared;
  }

  /** Counts channels and members by app id. It visits each seat in presence channels. */
  census(): ReadonlyMap<string, AppCounts> {
    const apps = new Map<string, AppCounts>();
    for (const [topic, seats] of this.#topics) {
      const channel = readChannel(channelOfTopic(topic));
      // The topics of signed-in users are no channels.
      if (!channel) continue;
      const appId = appOfTopic(topic);
      let app = apps.get(appId);
      if (!app) {
        app = { channels: zeroOfEachKind(), members: 0 };
        apps.set(appId, app);
      }
      app.channels[channel.kind] += 1;
      if (channel.kind === 'presence')
        app.members += new Set(Array.from(seats.values(), ({ userId }) => userId)).size;
    }
    return apps;
  }
}
