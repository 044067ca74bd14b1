import type { Adapter } from '../../adapter/adapter.ts';
import { type Topic, topicOf } from '../../adapter/topic.ts';

/** Channels whose subscribers are counted for one batch. */
const MAX_CHANNELS = 20;
/** Subscriptions up to which it is looked whether one of them is the connection that is left out. */
const MAX_LOOKED_AT = 100;

/** What is known of an event. */
interface Sent {
  readonly channel: string;
  readonly sender: string | undefined;
  readonly except: string | undefined;
}

/** Counts who gets an event: the subscribers of its channel on all nodes at that moment, without the one that is left out. */
export class Receivers {
  readonly #adapter: Adapter;
  readonly #appId: string;
  readonly #counts = new Map<string, Promise<number>>();

  constructor(adapter: Adapter, appId: string) {
    this.#adapter = adapter;
    this.#appId = appId;
  }

  /** `undefined`: too many channels at a time, or the adapter does not answer. */
  async of({ channel, sender, except }: Sent): Promise<number | undefined> {
    const topic = topicOf(this.#appId, channel);
    try {
      const count = await this.#count(topic);
      if (count === undefined || count === 0 || except === undefined) return count;
      // A client that publishes is subscribed.
      if (sender !== undefined || count > MAX_LOOKED_AT) return count - 1;
      const seats = await this.#adapter.roster.seats(topic);
      return seats.some(({ socketId }) => socketId === except) ? count - 1 : count;
    } catch {
      return undefined;
    }
  }

  /** Subscribers may have come or gone: they are counted again. */
  forget(): void {
    this.#counts.clear();
  }

  #count(topic: Topic): Promise<number> | undefined {
    const known = this.#counts.get(topic);
    if (known || this.#counts.size >= MAX_CHANNELS) return known;
    const counted = this.#adapter.roster.counts(topic).then(({ subscriptions }) => subscriptions);
    this.#counts.set(topic, counted);
    return counted;
  }
}
