/** Most milliseconds for which a write waits for others. */
const GATHER_MS = 5;
/** Writes of a full group, which waits for no more. */
const FULL = 500;

/** One write that waits for its transaction. */
interface Pending {
  /** Writes. Returns what to do once that is committed. */
  run(): Settle;
  reject(error: unknown): void;
}
type Settle = () => void;

/**
 * Commits writes in groups, since the disk takes as long for one as for hundreds. After a pause a write waits only
 * for those of the same turn of the event loop; under load writes are collected for 5 ms. A group that fails is
 * halved until the failing write is alone, so that no write makes others fail.
 */
export class GroupCommit {
  readonly #transact: (work: () => void) => void;
  #gathered: Pending[] = [];
  #immediate: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastFlush = Number.NEGATIVE_INFINITY;

  /** @param transact runs work, all of it or nothing; throws if nothing */
  constructor(transact: (work: () => void) => void) {
    this.#transact = transact;
  }

  /**
   * Adds a write to the next transaction; writes run in the order in which they were added.
   *
   * @returns a promise for what it answered, once it is committed; rejected if it cannot be made
   */
  add<Result>(write: () => Result): Promise<Result> {
    return new Promise((resolve, reject) => {
      const run = (): Settle => {
        const result = write();
        return () => resolve(result);
      };
      this.#gathered.push({ run, reject });
      if (this.#gathered.length >= FULL) this.flush();
      else this.#schedule();
    });
  }

  /** Commits the collected writes now. */
  flush(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#timer = undefined;
    this.#immediate = undefined;
    const group = this.#gathered;
    if (group.length === 0) return;
    this.#gathered = [];
    this.#commit(group);
    this.#lastFlush = performance.now();
  }

  #commit(group: readonly Pending[]): void {
    let settles: Settle[] = [];
    try {
      this.#transact(() => {
        settles = group.map(({ run }) => run());
      });
    } catch (error) {
      if (group.length === 1) return group[0]?.reject(error);
      const half = group.length >> 1;
      this.#commit(group.slice(0, half));
      return this.#commit(group.slice(half));
    }
    for (const settle of settles) settle();
  }

  #schedule(): void {
    if (this.#timer || this.#immediate) return;
    const rest = this.#lastFlush + GATHER_MS - performance.now();
    if (rest > 0) this.#timer = setTimeout(() => this.flush(), rest);
    else this.#immediate = setImmediate(() => this.flush());
  }
}
