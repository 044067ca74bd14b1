import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { FairTurns } from '#server/async/fair-turns';

/** Keeps the event loop from anything else. */
function work(milliseconds: number): void {
  for (const ends = performance.now() + milliseconds; performance.now() < ends; );
}

const LOUD = { name: 'loud' };
const QUIET = { name: 'quiet' };

test('who has had their share of a turn waits, in their order, and others do not wait for them', async () => {
  const turns = new FairTurns<object>();
  const done: string[] = [];
  const loud = Array.from({ length: 20 }, (_, n) =>
    turns.run(LOUD, () => {
      work(2);
      done.push(`loud ${n}`);
    }),
  );
  turns.run(QUIET, () => done.push('quiet'));
  // Three of 2 ms are more than the 5 of a share.
  expect(done.indexOf('quiet')).toBeLessThanOrEqual(3);
  await Promise.all(loud);
  expect(done.filter((each) => each !== 'quiet')).toEqual(Array.from({ length: 20 }, (_, n) => `loud ${n}`));
});

test('those who wait take turns, so that who has little to do waits for one piece of work of each other one', async () => {
  const turns = new FairTurns<object>();
  const done: string[] = [];
  const step = (name: string) => () => {
    work(6);
    done.push(name);
  };
  const all = [LOUD, QUIET].flatMap((owner) =>
    Array.from({ length: owner === LOUD ? 20 : 3 }, () => turns.run(owner, step(owner.name))),
  );
  await Promise.all(all);
  expect(done.slice(0, 6)).toEqual(['loud', 'quiet', 'loud', 'quiet', 'loud', 'quiet']);
});

test('the event loop turns while much waits, and what fails fails alone', async () => {
  const turns = new FairTurns<object>();
  const all = Array.from({ length: 20 }, (_, n) =>
    Promise.resolve(
      turns.run(LOUD, (hasWaited) => {
        work(2);
        if (n === 10) throw new Error('this one');
        return hasWaited;
      }),
    ),
  );
  const ended = Promise.allSettled(all);
  let looks = 0;
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  for (; !isOver; looks += 1) await nextTurn();
  expect(looks).toBeGreaterThan(5);
  const outcomes = await ended;
  expect(outcomes[0]).toEqual({ status: 'fulfilled', value: false });
  expect(outcomes[19]).toEqual({ status: 'fulfilled', value: true });
  expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(1);
});

test('at the end nobody waits', async () => {
  const turns = new FairTurns<object>();
  const done: number[] = [];
  const step = (n: number) => () => {
    work(6);
    done.push(n);
  };
  for (let n = 0; n < 5; n += 1) void turns.run(LOUD, step(n));
  const finished = turns.finish();
  void turns.run(LOUD, step(5));
  expect(done).toEqual([0, 1, 2, 3, 4, 5]);
  await finished;
});
