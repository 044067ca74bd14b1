/** Items that end in one turn of the event loop, so that many departures at once do not block it. */
const MOST_AT_ONCE = 500;

/** Items that all wait for the same time, unless they are cancelled before. */
export class DelayQueue<Item> {
  readonly #delayMs: number;
  readonly #end: (items: readonly Item[]) => void;
  /** By key, in the order of their ends. */
  readonly #waiting = new Map<string, { readonly item: Item; readonly endsAt: number }>();
  #timer: NodeJS.Timeout | undefined;

  /** @param end is told what nobody called off, in the order in which it began to wait */
  constructor(delayMs: number, end: (items: readonly Item[]) => void) {
    this.#delayMs = delayMs;
    this.#end = end;
  }

  /** Starts the wait of an item, or starts it again. */
  begin(key: string, item: Item): void {
    this.#waiting.delete(key);
    this.#waiting.set(key, { item, endsAt: performance.now() + this.#delayMs });
    this.#timer ??= this.#startTimer(this.#delayMs);
  }

  has(key: string): boolean {
    return this.#waiting.has(key);
  }

  callOff(key: string): void {
    this.#waiting.delete(key);
  }

  /** Ends all waits. @returns the items, in the order in which their waits began */
  take(): Item[] {
    const items = Array.from(this.#waiting.values(), ({ item }) => item);
    this.close();
    return items;
  }

  /** Cancels all waits. */
  close(): void {
    clearTimeout(this.#timer);
    this.#waiting.clear();
  }

  #startTimer(delayMs: number): NodeJS.Timeout {
    return setTimeout(() => {
      const now = performance.now();
      const ended: Item[] = [];
      let next: number | undefined;
      for (const [key, { item, endsAt }] of this.#waiting) {
        if (endsAt > now || ended.length === MOST_AT_ONCE) {
          next = endsAt;
          break;
        }
        this.#waiting.delete(key);
        ended.push(item);
      }
      this.#timer = next === undefined ? undefined : this.#startTimer(Math.max(0, Math.ceil(next - now)));
      if (ended.length > 0) this.#end(ended);
    }, delayMs);
  }
}
