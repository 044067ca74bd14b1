/** Frames without an answer at which no more are read, and bytes of them. */
const MAX_FRAMES = 1000;
const MAX_BYTES = 4_194_304;

interface Entry {
  readonly bytes: number;
  answer: string | undefined;
}

/** The frames of a socket that are read and not answered, in their order. */
export class Unanswered {
  readonly #counts: { unanswered: number };
  readonly #entries: Entry[] = [];
  #bytes = 0;
  #hasFilled = false;

  /** @param counts has the number of all sockets of the app */
  constructor(counts: { unanswered: number }) {
    this.#counts = counts;
  }

  get size(): number {
    return this.#entries.length;
  }

  /** Whether it has reached its bound, and is not down to half of it yet. */
  get isFull(): boolean {
    const share = Math.max(this.size / MAX_FRAMES, this.#bytes / MAX_BYTES);
    this.#hasFilled = share >= 1 || (this.#hasFilled && share > 0.5);
    return this.#hasFilled;
  }

  /** Adds a frame. @returns what takes its answer */
  add(bytes: number): (answer: string) => void {
    const entry: Entry = { bytes, answer: undefined };
    this.#entries.push(entry);
    this.#bytes += bytes;
    this.#counts.unanswered += 1;
    return (answer) => {
      entry.answer = answer;
    };
  }

  /** Removes the answers that no earlier frame keeps waiting. */
  *takeNext(): Iterable<string> {
    for (let next = this.#entries[0]; next?.answer !== undefined; next = this.#entries[0]) {
      this.#entries.shift();
      this.#bytes -= next.bytes;
      this.#counts.unanswered -= 1;
      yield next.answer;
    }
  }

  /** Forgets all: nobody waits for the answers. */
  clear(): void {
    this.#counts.unanswered -= this.size;
    this.#entries.length = 0;
    this.#bytes = 0;
  }
}
