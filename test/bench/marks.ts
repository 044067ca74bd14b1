/** What a generator writes into each message, so that whoever receives it knows when it left and after which one. */
export interface Mark {
  /** On the clock of `performance.now`, in milliseconds. */
  readonly sentAt: number;
  readonly publisher: number;
  readonly sequence: number;
}

/** Makes and reads marks of one process. */
export class Marks {
  readonly #sequences = new Map<number, number>();
  readonly #size: number;

  /** @param size bytes of data in a message */
  constructor(size: number) {
    this.#size = size;
  }

  make(publisher: number, sentAt: number): string {
    const sequence = (this.#sequences.get(publisher) ?? 0) + 1;
    this.#sequences.set(publisher, sequence);
    return `~@${sentAt.toFixed(3)}/${publisher}/${sequence}~`.padEnd(this.#size - 9, 'x');
  }

  read(text: string): Mark | undefined {
    const [, sentAt, publisher, sequence] = /~@([\d.]+)\/(\d+)\/(\d+)~/.exec(text) ?? [];
    if (sentAt === undefined) return undefined;
    return { sentAt: Number(sentAt), publisher: Number(publisher), sequence: Number(sequence) };
  }
}

/** Times that something took. */
export class Latencies {
  readonly #milliseconds: number[] = [];

  add(milliseconds: number): void {
    this.#milliseconds.push(milliseconds);
  }

  microseconds(): { readonly p50: number; readonly p99: number; readonly n: number } {
    const sorted = Float64Array.from(this.#milliseconds).sort();
    const at = (share: number) => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0) * 1000;
    return { p50: at(0.5), p99: at(0.99), n: sorted.length };
  }
}
