import type { Member } from '../../../protocol/frames.ts';
import type { Seat } from '../../adapter.ts';
import type { Topic } from '../../topic.ts';

/** The seats of this node's connections: what it takes again when its lease has lapsed. */
export class LocalSeats {
  readonly #topics = new Map<Topic, LocalTopic>();

  [Symbol.iterator](): IterableIterator<[Topic, LocalTopic]> {
    return this.#topics.entries();
  }

  get(topic: Topic): LocalTopic | undefined {
    return this.#topics.get(topic);
  }

  /** @param note notes the topic under this node, if it is not noted yet */
  open(topic: Topic, note: () => Promise<string>): LocalTopic {
    let local = this.#topics.get(topic);
    if (!local) {
      local = new LocalTopic(note());
      this.#topics.set(topic, local);
    }
    return local;
  }

  /** Forgets the topic if it has no seats and no joins in progress; answers whether it did. */
  closeIfEmpty(topic: Topic, local: LocalTopic): boolean {
    if (local.seats.size > 0 || local.joining > 0 || this.#topics.get(topic) !== local) return false;
    return this.#topics.delete(topic);
  }
}

/** What this node holds in one topic. */
export class LocalTopic {
  readonly seats = new Map<string, LocalSeat>();
  /** Joins in progress. */
  joining = 0;

  /** @param nodeId resolves to the id of the node under which the topic is noted */
  constructor(public nodeId: Promise<string>) {}
}

/** A seat of a connection of this node. */
export interface LocalSeat {
  readonly seat: Seat;
  readonly member: Member | undefined;
}
