import type { Member } from '../../../protocol/frames.ts';
import type { Seat } from '../../adapter.ts';
import type { Topic } from '../../topic.ts';

/** A seat of a connection of this node. */
export interface LocalSeat {
  readonly seat: Seat;
  readonly member: Member | undefined;
}

/** What this node has in one topic. */
export class LocalTopic {
  readonly seats = new Map<string, LocalSeat>();
  /** Joins under way. */
  joining = 0;

  /** @param marked the id under which the topic is noted, once it is */
  constructor(public marked: Promise<string>) {}
}

/** The seats of this node's connections: what it has to take again when its lease has lapsed. */
export class LocalSeats {
  readonly #topics = new Map<Topic, LocalTopic>();

  [Symbol.iterator](): IterableIterator<[Topic, LocalTopic]> {
    return this.#topics.entries();
  }

  get(topic: Topic): LocalTopic | undefined {
    return this.#topics.get(topic);
  }

  /** @param mark notes the topic under this node, if it is not noted yet */
  open(topic: Topic, mark: () => Promise<string>): LocalTopic {
    let local = this.#topics.get(topic);
    if (!local) {
      local = new LocalTopic(mark());
      this.#topics.set(topic, local);
    }
    return local;
  }

  /** Forgets the topic if nothing is left of it; answers whether it did. */
  closeIfEmpty(topic: Topic, local: LocalTopic): boolean {
    if (local.seats.size > 0 || local.joining > 0 || this.#topics.get(topic) !== local) return false;
    return this.#topics.delete(topic);
  }
}
