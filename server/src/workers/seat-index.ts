import { appOfTopic, channelOfTopic, type Topic } from '../adapter/topic.ts';
import type { AppCounts } from '../hub/channels.ts';
import { zeroOfEachKind } from '../metrics.ts';
import { readChannel } from '../protocol/channel.ts';

/** A seat that a connection of a worker has taken. */
interface TakenSeat<Holder> {
  readonly holder: Holder;
  /** The member that sits there, in a presence channel. */
  readonly userId: string | undefined;
}

/** Which worker's connections sit where. */
export class SeatIndex<Holder> {
  /** By socket id. */
  readonly #topics = new Map<Topic, Map<string, TakenSeat<Holder>>>();

  take(topic: Topic, socketId: string, seat: TakenSeat<Holder>): void {
    const seats = this.#topics.get(topic);
    if (seats) seats.set(socketId, seat);
    else this.#topics.set(topic, new Map([[socketId, seat]]));
  }

  giveUp(topic: Topic, socketId: string): void {
    const seats = this.#topics.get(topic);
    if (seats?.delete(socketId) && seats.size === 0) this.#topics.delete(topic);
  }

  /** Takes away all seats of one holder, and answers them. */
  clear(holder: Holder): { readonly topic: Topic; readonly socketIds: readonly string[] }[] {
    const cleared = [];
    for (const [topic, seats] of this.#topics) {
      const socketIds = [...seats].filter(([, seat]) => seat.holder === holder).map(([id]) => id);
      if (socketIds.length === 0) continue;
      for (const socketId of socketIds) this.giveUp(topic, socketId);
      cleared.push({ topic, socketIds });
    }
    return cleared;
  }

  /** Counts, by app id, what there is; it takes a look at each seat in presence channels. */
  census(): ReadonlyMap<string, AppCounts> {
    const apps = new Map<string, AppCounts>();
    for (const [topic, seats] of this.#topics) {
      const channel = readChannel(channelOfTopic(topic));
      // Where signed-in users sit is no channel.
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
