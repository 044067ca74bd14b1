import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Trail } from '#server/hub/replay/trail';

const start = { at: 1000, position: 'start' };

test('a trail without events leads to its start', () => {
  expect(new Trail().positionAt(5000, start)).toBe('start');
});

test('what was delivered before a time is not delivered again, to the second', () => {
  const trail = new Trail();
  for (const [at, position] of [
    [2000, 'a'],
    [2500, 'b'],
    [4000, 'c'],
  ] as const)
    trail.note(position, at);
  expect(trail.positionAt(1500, start)).toBe('start');
  expect(trail.positionAt(2200, start)).toBe('start');
  expect(trail.positionAt(2501, start)).toBe('b');
  expect(trail.positionAt(3999, start)).toBe('b');
  expect(trail.positionAt(9000, start)).toBe('c');
  expect(trail.positionAt(9000, { at: 5000, position: 'later' })).toBe('later');
});

test('however long it is, nothing that was delivered since a time is left out, and little comes twice', () => {
  const steps = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 2000 });
  fc.assert(
    fc.property(steps, fc.double({ min: 0, max: 1, noNaN: true }), (pauses, share) => {
      const trail = new Trail();
      const delivered: number[] = [];
      let now = start.at;
      for (const pause of pauses) {
        now += pause;
        delivered.push(now);
        trail.note(String(now), now);
      }
      const time = start.at + (now - start.at) * share;
      const position = trail.positionAt(time, start);
      const from = position === 'start' ? start.at : Number(position);
      expect(from).toBeLessThanOrEqual(time);
      // A stretch is a second long at first, and then a part of what has passed since.
      const latest = delivered.filter((at) => at < time).at(-1) ?? start.at;
      expect(latest - from).toBeLessThanOrEqual(5000 + (now - start.at) / 8 + (now - time));
    }),
  );
});
