/** What every place does that keeps usage. */
import { describe, expect, test } from 'vitest';
import { peakNames, sumNames } from '#server/usage/figures';
import { startOf, units } from '#server/usage/period';
import type { UsageChange, UsageStore } from '#server/usage/usage-store';

/** The start of the present day, so that nothing is too old to be kept. */
/** A day that is over: no row of it is in the future. */
const DAY = startOf('day', Date.now() - 86_400_000);
const ALL = { from: 0, to: Number.MAX_SAFE_INTEGER, limit: 1000 } as const;

/** @param open one place, by which two nodes write */
export function usageStoreContract(name: string, open: () => Promise<UsageStore>): void {
  const change = (
    app: string,
    minute: number,
    value: number,
    more: Partial<UsageChange> = {},
  ): UsageChange => ({
    app,
    minute: DAY + minute * 60_000,
    sums: sumNames.map((_, index) => value + index),
    peaks: peakNames.map(() => value),
    connections: 0,
    members: 0,
    isIncomplete: false,
    ...more,
  });
  const batch = (seq: number, ...changes: UsageChange[]) => ({ node: 'node', seq, changes, isLast: false });

  describe(`usage in ${name}`, () => {
    test('adds to the rows of all units: sums grow, peaks rise', async () => {
      const store = await open();
      await store.begin('node');
      await store.add(batch(1, change('a', 0, 5), change('b', 0, 1)));
      await store.add(batch(2, change('a', 0, 3), change('a', 61, 7)));
      for (const unit of units) {
        const rows = (await store.rows({ ...ALL, unit })).filter(({ app }) => app === 'a');
        expect(rows.map(({ from }) => from)).toEqual([
          ...new Set([0, 61].map((minute) => startOf(unit, DAY + minute * 60_000))),
        ]);
        const total = rows.reduce((sum, { sums }) => sum + (sums[0] ?? 0), 0);
        expect(total).toBe(15);
        expect(Math.max(...rows.map(({ peaks }) => peaks[1] ?? 0))).toBe(7);
      }
    });

    test('adds a batch once, however often its answer was lost', async () => {
      const store = await open();
      await store.begin('node');
      await store.add(batch(1, change('a', 0, 5)));
      await store.add(batch(1, change('a', 0, 5)));
      await store.add(batch(2, change('a', 0, 1)));
      const [row] = await store.rows({ ...ALL, unit: 'day' });
      expect(row?.sums[0]).toBe(6);
    });

    test('answers pages in the order of periods and apps, of some apps and of a range', async () => {
      const store = await open();
      await store.begin('node');
      const changes = [0, 1, 2].flatMap((minute) => ['a', 'b', 'c'].map((app) => change(app, minute, 1)));
      await store.add(batch(1, ...changes));
      const names = (rows: readonly { readonly from: number; readonly app: string }[]) =>
        rows.map(({ from, app }) => `${(from - DAY) / 60_000}${app}`);
      const query = { unit: 'minute', from: DAY, to: DAY + 120_000 } as const;
      const first = await store.rows({ ...query, limit: 4 });
      expect(names(first)).toEqual(['0a', '0b', '0c', '1a']);
      expect(names(await store.rows({ ...query, limit: 4, after: first.at(-1)! }))).toEqual(['1b', '1c']);
      expect(names(await store.rows({ ...query, limit: 10, apps: ['c', 'a', 'x'] }))).toEqual([
        '0a',
        '0c',
        '1a',
        '1c',
      ]);
      expect(await store.rows({ ...query, limit: 10, apps: [] })).toEqual([]);
    });

    test('remembers which row was pushed last', async () => {
      const store = await open();
      expect(await store.takePush('node', { from: DAY, app: '' })).toEqual({ from: DAY, app: '' });
      await store.pushed('node', { from: DAY + 60_000, app: 'a b' });
      expect(await store.takePush('node', { from: 0, app: '' })).toEqual({ from: DAY + 60_000, app: 'a b' });
    });

    test('gives the turn to push to the next one once it is left, and not before it is the node that leaves', async () => {
      const store = await open();
      const start = { from: DAY, app: '' };
      await store.takePush('node', start);
      await store.leavePush('another');
      if (store.isShared) expect(await store.takePush('another', start)).toBeUndefined();
      await store.leavePush('node');
      expect(await store.takePush('another', start)).toEqual(start);
    });

    test('remembers that something is missing', async () => {
      const store = await open();
      await store.begin('node');
      await store.add(batch(1, change('a', 0, 1, { isIncomplete: true }), change('b', 0, 1)));
      await store.add(batch(2, change('a', 0, 1)));
      const rows = await store.rows({ ...ALL, unit: 'hour' });
      expect(rows.map(({ app, isIncomplete }) => [app, isIncomplete])).toEqual([
        ['a', true],
        ['b', false],
      ]);
    });
  });
}
