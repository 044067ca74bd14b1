/** Upper bounds in milliseconds; what takes longer counts in the last one, which is about the longest that is waited. */
const BOUNDS = [5, 10, 20, 35, 50, 75, 100, 150, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 4000];

/** How long requests took, counted in classes. */
export class Latencies {
  readonly #counts = new Uint32Array(BOUNDS.length);

  add(ms: number): void {
    const found = BOUNDS.findIndex((bound) => ms <= bound);
    this.#counts[found < 0 ? BOUNDS.length - 1 : found]! += 1;
  }

  merge(other: Latencies): void {
    for (const [index, count] of other.#counts.entries()) this.#counts[index]! += count;
  }

  /**
   * The time within which this share of the requests was answered, in milliseconds, assuming that those of one class are spread
   * evenly; `null` if there was none.
   */
  quantile(share: number): number | null {
    const total = this.#counts.reduce((sum, count) => sum + count, 0);
    if (total === 0) return null;
    let left = share * total;
    for (const [index, count] of this.#counts.entries()) {
      const from = index === 0 ? 0 : BOUNDS[index - 1]!;
      if (count > 0 && left <= count) return Math.round(from + (BOUNDS[index]! - from) * (left / count));
      left -= count;
    }
    return BOUNDS.at(-1)!;
  }
}
