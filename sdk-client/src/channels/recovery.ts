import { asObject, type Message } from '../connection/protocol.ts';

/** Positions that are remembered, so that an event that a replay repeats is not handed over again. */
const MAX_SEEN = 100;

/** What a subscription begins with. */
export type Outcome =
  /** Nothing was missed, or what was missed follows. */
  | { readonly status: 'recovered'; readonly count: number }
  | { readonly status: 'lost'; readonly code: unknown }
  /** The channel has no history, or it is the first subscription. */
  | { readonly status: 'new' };

/** Where a channel with a history is: what it asks for on a new connection, and what came of it. */
export class Recovery {
  /** The position of the last event that was handed over. */
  position: string | undefined;
  #socketId: string | undefined;
  /** The position after the replay, and how many of its events have yet to come. */
  #end: string | undefined;
  #count = 0;
  #left = 0;
  readonly #seen = new Set<string>();

  /** Fields of a subscribe frame. */
  request(): { readonly after?: string; readonly socket_id_before?: string | undefined } {
    return this.position === undefined ? {} : { after: this.position, socket_id_before: this.#socketId };
  }

  /** Reads the broker's confirmation. */
  begin({ position, recovery }: Message, socketId: string | undefined): Outcome {
    const { status, count, code } = asObject(recovery) ?? {};
    this.#socketId = socketId;
    this.#end = position;
    this.#count = this.#left = status === 'replayed' ? Number(count) || 0 : 0;
    if (this.#left === 0) this.position = position;
    if (status === 'lost') return { status, code };
    return status === undefined ? { status: 'new' } : { status: 'recovered', count: this.#count };
  }

  /** Whether an event was handed over before. */
  isRepeated({ position }: Message): boolean {
    return position !== undefined && this.#seen.has(position);
  }

  /** Notes an event that is handed over. @returns the number of events of the replay, if it was the last one */
  pass({ position, replayed }: Message): number | undefined {
    if (position === undefined) return undefined;
    this.position = position;
    this.#seen.add(position);
    if (this.#seen.size > MAX_SEEN) this.#seen.delete(this.#seen.values().next().value!);
    if (!replayed || this.#left === 0 || --this.#left > 0) return undefined;
    // Events that were not meant for this client may follow the last one.
    this.position = this.#end;
    return this.#count;
  }
}
