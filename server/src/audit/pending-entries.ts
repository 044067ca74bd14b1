import type { Entry } from './record.ts';

/** Entries that may wait, and bytes of them, about. */
const MAX_ENTRIES = 50_000;
const MAX_BYTES = 16 * 1024 * 1024;
/** Bytes of an entry beside its texts. */
const ENTRY_BYTES = 300;

/** Entries that wait to be written, the oldest first. */
export class PendingEntries {
  #entries: Entry[] = [];
  #bytes = 0;

  get size(): number {
    return this.#entries.length;
  }

  /** @returns false if there is no room */
  add(entry: Entry): boolean {
    const bytes = sizeOf(entry);
    if (this.#entries.length >= MAX_ENTRIES || this.#bytes + bytes > MAX_BYTES) return false;
    this.#entries.push(entry);
    this.#bytes += bytes;
    return true;
  }

  /** The first entries, which stay. */
  first(count: number): readonly Entry[] {
    return this.#entries.slice(0, count);
  }

  /** Removes the first entries. */
  remove(count: number): void {
    for (const entry of this.#entries.slice(0, count)) this.#bytes -= sizeOf(entry);
    this.#entries = this.#entries.slice(count);
  }
}

function sizeOf({ event: { channel = '', reason = '', user_id: userId = '' } }: Entry): number {
  return ENTRY_BYTES + 2 * (channel.length + reason.length + userId.length);
}
