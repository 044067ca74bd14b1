import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Deadline, DeadlineQueue } from '#server/access/deadline-queue';
import { numRuns } from '../helpers/property.ts';

/** Milliseconds that a deadline may be late. */
const TOLERANCE = 100;

class Noted extends Deadline {
  readonly met: number[] = [];

  constructor(readonly nexts: number[] = []) {
    super();
  }

  override meet(now: number): number | undefined {
    this.met.push(now);
    const next = this.nexts.shift();
    return next === undefined ? undefined : now + next;
  }
}

type Step =
  | { readonly do: 'set'; readonly which: number; readonly delay: number }
  | { readonly do: 'delete'; readonly which: number }
  | { readonly do: 'wait'; readonly ms: number };

const which = fc.nat(19);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('set'), which, delay: fc.nat(5000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete'), which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.nat(2000) }) },
);

describe('the queue of deadlines', () => {
  beforeEach(() => {
    vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'],
    });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('meets each deadline that is set and neither moved nor deleted, never early and hardly late', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const queue = new DeadlineQueue(() => performance.now());
        const deadlines = Array.from({ length: 20 }, () => new Noted());
        /** What is due, by deadline. */
        const due = new Map<Noted, number>();
        const expectMet = () => {
          for (const [deadline, at] of [...due]) {
            if (deadline.met.length > 0) {
              expect(deadline.met).toHaveLength(1);
              expect(deadline.met[0]).toBeGreaterThanOrEqual(at);
              expect(deadline.met[0]).toBeLessThanOrEqual(at + TOLERANCE);
              deadline.met.length = 0;
              due.delete(deadline);
            } else expect(at).toBeGreaterThan(performance.now() - TOLERANCE);
          }
          expect(queue.size).toBe(due.size);
        };
        for (const each of steps) {
          if (each.do === 'wait') vi.advanceTimersByTime(each.ms);
          expectMet();
          const deadline = deadlines['which' in each ? each.which : 0]!;
          if (each.do === 'set') {
            queue.set(deadline, performance.now() + each.delay);
            due.set(deadline, performance.now() + each.delay);
          }
          if (each.do === 'delete') {
            queue.delete(deadline);
            due.delete(deadline);
          }
        }
        vi.advanceTimersByTime(6000);
        expectMet();
        expect(queue.size).toBe(0);
        expect(deadlines.every(({ met }) => met.length === 0)).toBe(true);
        queue.close();
      }),
      { numRuns: numRuns(300) },
    );
  });

  test('meets a deadline again at the moment that it answers', () => {
    const queue = new DeadlineQueue(() => performance.now());
    const start = performance.now();
    const deadline = new Noted([1000, 500]);
    queue.set(deadline, start + 200);
    vi.advanceTimersByTime(5000);
    expect(deadline.met.map((at) => Math.round((at - start) / 100))).toEqual([2, 12, 17]);
    expect(queue.size).toBe(0);
  });

  test('waits longer than one timer can', () => {
    const queue = new DeadlineQueue(() => performance.now());
    const deadline = new Noted();
    const at = performance.now() + 2 ** 31 + 60_000;
    queue.set(deadline, at);
    vi.advanceTimersByTime(2 ** 31);
    expect(deadline.met).toEqual([]);
    vi.advanceTimersByTime(61_000);
    expect(deadline.met[0]).toBeGreaterThanOrEqual(at);
  });

  test('meets 100,000 deadlines of one moment in turns, without a timer for each', () => {
    const queue = new DeadlineQueue(() => performance.now());
    const deadlines = Array.from({ length: 100_000 }, () => new Noted());
    const at = performance.now() + 1000;
    for (const deadline of deadlines) queue.set(deadline, at);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(2000);
    expect(deadlines.every(({ met }) => met.length === 1)).toBe(true);
  });

  test('does nothing any more once it is closed', () => {
    const queue = new DeadlineQueue(() => performance.now());
    const deadline = new Noted();
    queue.set(deadline, performance.now() + 100);
    queue.close();
    vi.advanceTimersByTime(1000);
    expect(deadline.met).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
