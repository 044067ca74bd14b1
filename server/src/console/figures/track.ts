import { KEPT, STATES } from './kept.ts';

/** The beginning of a step in Unix milliseconds, then the figures in the order of {@link KEPT}. */
export type PastStep = readonly number[];

/**
 * The figures of one app over the last steps of a clock. Steps are numbered by the time of day, so that those of several
 * nodes can be added; a place that holds another step than the one asked for is a gap.
 */
export class Track {
  readonly #stepMs: number;
  readonly #steps: number;
  readonly #numbers: Float64Array;
  readonly #samples: Uint32Array;
  readonly #values: Float32Array;

  constructor({ stepMs, steps }: { readonly stepMs: number; readonly steps: number }) {
    this.#stepMs = stepMs;
    this.#steps = steps;
    this.#numbers = new Float64Array(steps);
    this.#samples = new Uint32Array(steps);
    this.#values = new Float32Array(steps * KEPT.length);
  }

  /**
   * Adds a sample to its step, which keeps the highest state and the mean rate.
   *
   * @param at Unix milliseconds
   * @param sample in the order of {@link KEPT}
   */
  add(at: number, sample: readonly number[]): void {
    const number = Math.floor(at / this.#stepMs);
    const place = number % this.#steps;
    if (this.#numbers[place] !== number) {
      this.#numbers[place] = number;
      this.#samples[place] = 0;
      this.#values.fill(0, place * KEPT.length, (place + 1) * KEPT.length);
    }
    const samples = this.#samples[place]! + 1;
    this.#samples[place] = samples;
    for (const [index, value] of sample.entries()) {
      const slot = place * KEPT.length + index;
      const before = this.#values[slot]!;
      this.#values[slot] = index < STATES ? Math.max(before, value) : before + (value - before) / samples;
    }
  }

  /** The last steps that are known, the oldest first. */
  read(now: number): readonly PastStep[] {
    const newest = Math.floor(now / this.#stepMs);
    const found: PastStep[] = [];
    for (let number = newest - this.#steps + 1; number <= newest; number += 1) {
      const place = number % this.#steps;
      if (this.#numbers[place] !== number) continue;
      const values = this.#values.subarray(place * KEPT.length, (place + 1) * KEPT.length);
      found.push([number * this.#stepMs, ...Array.from(values, (value) => Math.round(value * 10) / 10)]);
    }
    return found;
  }
}
