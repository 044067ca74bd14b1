import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Hook } from '#server/apps/hook';
import { newEvent } from '#server/webhooks/event';
import type { Change, Delivery, Outbox, OutboxBounds, Target } from '#server/webhooks/outbox/outbox';

/** An outbox under test, with a clock that the test moves and room for 5 waiting deliveries of a hook. */
export interface OutboxSubject {
  readonly outbox: Outbox;
  advance(milliseconds: number): void;
}

export const MAX_PENDING = 5;

/** Bounds that are reached only by tests that fill them on purpose. */
export const BOUNDS: OutboxBounds = {
  maxPending: MAX_PENDING,
  maxLogEvents: 100_000,
  maxBytes: 1_000_000_000,
  maxTotalBytes: 1_000_000_000,
};

const APP = 'app-1';
const hook = newHook('hook-1');
const other = newHook('hook-2');
const attempt = { at: 1000, status: 500, answer: 'no' };

export function newHook(id: string, settings: { maxEvents?: number; maxDelayMs?: number } = {}): Hook {
  const { maxEvents = 1, maxDelayMs = 0 } = settings;
  return new Hook(APP, {
    id,
    url: 'http://localhost/',
    events: ['cache_miss'],
    headers: {},
    maxEvents,
    maxDelayMs,
  });
}

/** The change that adds one event of a channel for hooks. */
export function told(channel: string, hooks: readonly Target[] = [hook], appId = APP): Change {
  return { appId, lane: channel, hooks, event: newEvent(0, 'cache_miss', channel) };
}

function eventsOf(delivery: Delivery | undefined): readonly { seq: string; channel: string }[] {
  return delivery ? JSON.parse(`[${delivery.events}]`) : [];
}

/** The promises of every outbox. */
export function outboxContract(
  name: string,
  make: (bounds: OutboxBounds) => OutboxSubject | Promise<OutboxSubject>,
): void {
  describe(`${name} keeps the contract of an outbox`, () => {
    let subject: OutboxSubject;
    let outbox: Outbox;
    let appended: (readonly [hook: string, lane: string, dueAt: number])[];
    let overflowed: (readonly [hook: string, count: number])[];
    let forgot: (readonly [appId: string, what: string, count: number])[];

    const begin = async (bounds = BOUNDS) => {
      subject = await make(bounds);
      ({ outbox } = subject);
      appended = [];
      overflowed = [];
      forgot = [];
      outbox.attach({
        appended: (...news) => void appended.push(news),
        overflowed: (...news) => void overflowed.push(news),
        dropped: (...news) => void forgot.push(news),
        reopened: () => {},
      });
    };
    beforeEach(() => begin());
    afterEach(() => outbox.close());

    const head = (lane: string, maxEvents = 1) => outbox.deliveries.head(hook.key, lane, maxEvents);
    const seqs = async (lane: string, maxEvents = 1) =>
      eventsOf(await head(lane, maxEvents)).map(({ seq }) => Number(seq));
    const list = async (state: Delivery['state']) => {
      const deliveries = await outbox.deliveries.list(hook.key, state, 0, 100);
      return deliveries.flatMap((each) => eventsOf(each).map(({ seq }) => Number(seq)));
    };

    test('events of an app are counted without gaps, and read a page at a time', async () => {
      await Promise.all([
        outbox.append([told('a'), told('b', [])]),
        outbox.append([told('a', [], 'app-2')]),
        outbox.append([told('c')]),
      ]);
      const read = async (after: number, limit: number) => {
        const { events, lastSeq } = await outbox.events(APP, after, limit);
        return { lastSeq, events: events.map((text) => JSON.parse(text)) };
      };
      expect(await read(0, 2)).toMatchObject({
        lastSeq: 3,
        events: [
          { seq: '1', channel: 'a' },
          { seq: '2', channel: 'b' },
        ],
      });
      expect(await read(2, 2)).toMatchObject({ lastSeq: 3, events: [{ seq: '3', channel: 'c' }] });
      expect((await outbox.events('app-2', 0, 10)).lastSeq).toBe(1);
      expect(await outbox.events('nobody', 0, 10)).toEqual({ events: [], lastSeq: 0 });
    });

    test('listeners learn of a delivery once it is committed', async () => {
      await outbox.append([told('a', [newHook('hook-1', { maxDelayMs: 70 })])]);
      expect(appended).toEqual([[hook.key, 'a', 1070]]);
      expect(await outbox.deliveries.lanes(hook.key)).toEqual([{ name: 'a', dueAt: 1070 }]);
    });

    test('the oldest delivery of a lane comes first, until it is acknowledged', async () => {
      await outbox.append([told('a'), told('b'), told('a')]);
      expect([await seqs('a'), await seqs('a'), await seqs('b'), await seqs('c')]).toEqual([
        [1],
        [1],
        [2],
        [],
      ]);
      await outbox.deliveries.acknowledge((await head('a'))!);
      expect([await seqs('a'), await seqs('b')]).toEqual([[3], [2]]);
      await outbox.deliveries.acknowledge((await head('a'))!);
      expect(await seqs('a')).toEqual([]);
      expect((await outbox.deliveries.lanes(hook.key)).map((lane) => lane.name)).toEqual(['b']);
      expect(outbox.deliveries.counts(hook.key)).toEqual({ pending: 1, failing: 0, dead: 0 });
    });

    test('each hook has its own deliveries', async () => {
      await outbox.append([told('a', [hook, other])]);
      await outbox.deliveries.acknowledge((await head('a'))!);
      expect(await seqs('a')).toEqual([]);
      expect(eventsOf(await outbox.deliveries.head(other.key, 'a', 1))).toMatchObject([{ seq: '1' }]);
    });

    test('a failed delivery stays first, and keeps the outcomes of its attempts', async () => {
      await outbox.append([told('a'), told('a')]);
      await outbox.deliveries.fail((await head('a'))!, attempt, 5000);
      await outbox.deliveries.fail((await head('a'))!, { ...attempt, at: 2000, status: null }, 9000);
      expect(await head('a')).toMatchObject({
        state: 'failing',
        tries: 2,
        triedSince: 1000,
        dueAt: 9000,
        attempts: [attempt, { at: 2000, status: null, answer: 'no' }],
      });
      expect(await outbox.deliveries.lanes(hook.key)).toEqual([{ name: 'a', dueAt: 9000 }]);
      expect(outbox.deliveries.counts(hook.key)).toEqual({ pending: 1, failing: 1, dead: 0 });
      expect([await list('pending'), await list('failing')]).toEqual([[2], [1]]);
    });

    test('only the last attempts are kept', async () => {
      await outbox.append([told('a')]);
      for (let at = 1; at <= 25; at += 1) {
        await outbox.deliveries.fail((await head('a'))!, { ...attempt, at }, 0);
      }
      const { tries, attempts } = (await head('a'))!;
      expect([tries, attempts.length, attempts.at(-1)?.at]).toEqual([25, 20, 25]);
    });

    test('a dead letter lets the deliveries behind it pass', async () => {
      await outbox.append([told('a'), told('a')]);
      await outbox.deliveries.park((await head('a'))!, attempt);
      expect(await seqs('a')).toEqual([2]);
      expect(await outbox.deliveries.list(hook.key, 'dead', 0, 9)).toMatchObject([
        { state: 'dead', attempts: [attempt] },
      ]);
      expect(outbox.deliveries.counts(hook.key)).toEqual({ pending: 1, failing: 0, dead: 1 });
    });

    test('deliveries join up to a number of events, under an id of their own', async () => {
      await outbox.append([told('a'), told('a'), told('b'), told('a')]);
      const single = (await head('a'))!;
      const joined = (await head('a', 2))!;
      expect(eventsOf(joined).map(({ seq }) => Number(seq))).toEqual([1, 2]);
      expect(joined).toMatchObject({ size: 2, n: single.n });
      expect(joined.id).not.toBe(single.id);
      expect((await head('a', 100))?.id).toBe(joined.id);
      expect(await seqs('b', 100)).toEqual([3]);
      await outbox.deliveries.acknowledge(joined);
      expect(await seqs('a', 100)).toEqual([4]);
      expect(outbox.deliveries.counts(hook.key)).toEqual({ pending: 2, failing: 0, dead: 0 });
    });

    test('deliveries join up to a size that every receiver accepts', async () => {
      const data = 'x'.repeat(100_000);
      const change = told('a');
      await outbox.append([1, 2, 3].map(() => ({ ...change, event: { ...change.event!, data } })));
      expect(await seqs('a', 100)).toEqual([1, 2]);
    });

    test('a delivery that was tried once keeps its events and its id', async () => {
      await outbox.append([told('a'), told('a')]);
      const { id } = (await head('a'))!;
      await outbox.deliveries.fail((await head('a'))!, attempt, 0);
      expect(await head('a', 100)).toMatchObject({ id, size: 1 });
      await outbox.deliveries.retry(hook.key, { ids: [id] });
      expect(await head('a', 100)).toMatchObject({ id, size: 1, state: 'pending' });
    });

    test('a retry brings dead letters back to their place, due at once', async () => {
      await outbox.append([told('a'), told('a'), told('b')]);
      await outbox.deliveries.fail((await head('a'))!, attempt, 5000);
      await outbox.deliveries.park((await head('a'))!, attempt);
      await outbox.deliveries.park((await head('b'))!, attempt);
      subject.advance(500);
      expect(await outbox.deliveries.retry(hook.key, { state: 'dead' })).toBe(2);
      expect(await head('a')).toMatchObject({
        state: 'pending',
        tries: 0,
        triedSince: undefined,
        dueAt: 1500,
      });
      expect([await seqs('a'), await seqs('b'), await list('pending')]).toEqual([[1], [3], [1, 2, 3]]);
      expect(outbox.deliveries.counts(hook.key)).toEqual({ pending: 3, failing: 0, dead: 0 });
    });

    test('deliveries are given up one at a time, or all of one state', async () => {
      await outbox.append([told('a'), told('a'), told('b')]);
      const { id } = (await head('a'))!;
      expect(await outbox.deliveries.skip(other.key, { ids: [id] })).toBe(0);
      expect(await outbox.deliveries.skip(hook.key, { ids: [id, id.replace('msg_', 'msg_x'), 'x'] })).toBe(1);
      expect(await seqs('a')).toEqual([2]);
      expect(await outbox.deliveries.skip(hook.key, { state: 'pending' })).toBe(2);
      expect(outbox.deliveries.counts(hook.key)).toEqual({ pending: 0, failing: 0, dead: 0 });
      expect(await outbox.deliveries.lanes(hook.key)).toEqual([]);
    });

    test('the oldest of too many deliveries become dead letters', async () => {
      await outbox.append(Array.from({ length: MAX_PENDING }, () => told('a')));
      const inFlight = (await head('a'))!;
      await outbox.append([told('b'), told('b')]);
      expect([await list('pending'), await list('dead')]).toEqual([
        [3, 4, 5, 6, 7],
        [1, 2],
      ]);
      expect(overflowed).toEqual([
        [hook.key, 1],
        [hook.key, 1],
      ]);
      await outbox.deliveries.acknowledge(inFlight);
      expect(await list('dead')).toEqual([2]);
    });

    test('as many dead letters are kept as deliveries may wait, without the oldest', async () => {
      await outbox.append(Array.from({ length: 2 * MAX_PENDING + 2 }, () => told('a')));
      expect(await list('dead')).toEqual([3, 4, 5, 6, 7]);
      expect(outbox.deliveries.counts(hook.key)).toEqual({ pending: 5, failing: 0, dead: 5 });
      expect(forgot).toEqual([
        [APP, 'dead_letter', 1],
        [APP, 'dead_letter', 1],
      ]);
      await outbox.deliveries.park((await head('a'))!, attempt);
      expect(await list('dead')).toEqual([4, 5, 6, 7, 8]);
    });

    test('deliveries are listed a page at a time', async () => {
      await outbox.append([told('a'), told('b'), told('c')]);
      const page = await outbox.deliveries.list(hook.key, 'pending', 0, 2);
      expect(page.flatMap((each) => eventsOf(each).map(({ seq }) => Number(seq)))).toEqual([1, 2]);
      const rest = await outbox.deliveries.list(hook.key, 'pending', page.at(-1)!.n, 2);
      expect(rest.flatMap((each) => eventsOf(each).map(({ seq }) => Number(seq)))).toEqual([3]);
    });

    test('the outcome of a removed delivery changes nothing', async () => {
      await outbox.append([told('a')]);
      const delivery = (await head('a'))!;
      await outbox.deliveries.acknowledge(delivery);
      await outbox.deliveries.acknowledge(delivery);
      await outbox.deliveries.fail(delivery, attempt, 0);
      await outbox.deliveries.park(delivery, attempt);
      expect(outbox.deliveries.counts(hook.key)).toEqual({ pending: 0, failing: 0, dead: 0 });
    });

    test('a hook is active until it is paused or disabled', async () => {
      expect(outbox.stateOf(hook.key)).toBe('active');
      await outbox.setState(hook.key, 'disabled');
      expect([outbox.stateOf(hook.key), outbox.stateOf(other.key)]).toEqual(['disabled', 'active']);
    });

    test('a sweep forgets old events and dead letters, and the deliveries of removed hooks', async () => {
      await outbox.append([told('a', [hook, other]), told('b', [hook, other])]);
      await outbox.deliveries.park((await head('a'))!, attempt);
      subject.advance(100);
      await outbox.append([told('c', [hook, other])]);
      await outbox.deliveries.park((await head('c'))!, attempt);
      await outbox.sweep(1100, new Set([hook.key]));
      const { events } = await outbox.events(APP, 0, 10);
      expect(events.map((text) => Number(JSON.parse(text).seq))).toEqual([3]);
      expect([await list('pending'), await list('dead')]).toEqual([[2], [3]]);
      expect(outbox.deliveries.counts(other.key)).toEqual({ pending: 1, failing: 0, dead: 0 });
      await outbox.append([told('d')]);
      expect(await seqs('d')).toEqual([4]);
    });

    test('a sweep keeps the newest of too many dead letters', async () => {
      for (let count = 0; count < MAX_PENDING + 2; count += 1) {
        await outbox.append([told('a')]);
        await outbox.deliveries.park((await head('a'))!, attempt);
      }
      await outbox.sweep(0, new Set([hook.key]));
      expect(await list('dead')).toEqual([3, 4, 5, 6, 7]);
    });

    describe('with a bound in bytes', () => {
      const KILOBYTE = 1000;
      const big = (channel: string, hooks: readonly Target[] = [hook], appId = APP): Change => {
        const change = told(channel, hooks, appId);
        return { ...change, event: { ...change.event!, data: 'x'.repeat(KILOBYTE) } };
      };
      const logOf = async (appId: string) => {
        const { events, lastSeq } = await outbox.events(appId, 0, 1000);
        expect(events.map((text) => Number(JSON.parse(text).seq))).toEqual(
          events.map((_, n) => lastSeq - events.length + 1 + n),
        );
        return events.length;
      };

      test('an app is bounded in bytes of waiting deliveries, of dead letters and of the log', async () => {
        await outbox.close();
        await begin({ ...BOUNDS, maxPending: 1000, maxBytes: 20 * KILOBYTE });
        for (let n = 0; n < 50; n += 1) await outbox.append([big('a', [hook, other])]);
        const counts = [hook, other].map(({ key }) => outbox.deliveries.counts(key));
        const sum = (state: 'pending' | 'dead') => counts.reduce((all, each) => all + each[state], 0);
        for (const count of [sum('pending'), sum('dead')]) {
          expect(count).toBeGreaterThanOrEqual(12);
          expect(count).toBeLessThan(20);
        }
        await expect.poll(() => logOf(APP)).toBeLessThan(20);
        expect(await logOf(APP)).toBeGreaterThan(5);
        expect((await list('pending')).at(-1)).toBe(50);
      });

      test('the biggest app loses deliveries when all apps together exceed the bound', async () => {
        await outbox.close();
        await begin({ ...BOUNDS, maxPending: 1000, maxTotalBytes: 30 * KILOBYTE });
        const small: Target = { key: 'app-2:hook-1', maxDelayMs: 0 };
        await outbox.append([big('a', [small], 'app-2'), big('a', [small], 'app-2')]);
        for (let n = 0; n < 60; n += 1) await outbox.append([big('a')]);
        expect(outbox.deliveries.counts(small.key)).toEqual({ pending: 2, failing: 0, dead: 0 });
        expect(outbox.deliveries.counts(hook.key).pending).toBeLessThan(30);
        await expect.poll(() => logOf(APP)).toBeLessThan(30);
        expect(await logOf('app-2')).toBe(2);
      });

      test('the bytes of an app are those that count towards its bounds', async () => {
        const nothing = { delivery: 0, dead_letter: 0, event: 0 };
        const within = (least: number) =>
          expect.toSatisfy((bytes: number) => bytes > least && bytes < 2 * least);
        expect(outbox.bytesOf(APP)).toEqual(nothing);
        await outbox.append([big('a'), big('a', [hook, other]), big('a', [], 'app-2')]);
        expect(outbox.bytesOf(APP)).toEqual({
          delivery: within(3 * KILOBYTE),
          dead_letter: 0,
          event: within(2 * KILOBYTE),
        });
        expect(outbox.bytesOf('app-2')).toEqual({ ...nothing, event: within(KILOBYTE) });
        await outbox.deliveries.park((await head('a'))!, attempt);
        await outbox.deliveries.acknowledge((await head('a'))!);
        expect(outbox.bytesOf(APP)).toMatchObject({
          delivery: within(KILOBYTE),
          dead_letter: within(KILOBYTE),
        });
        subject.advance(1000);
        await outbox.deliveries.skip(hook.key, { state: 'dead' });
        await outbox.deliveries.skip(other.key, { state: 'pending' });
        await outbox.sweep(1500, new Set([hook.key, other.key]));
        expect(outbox.bytesOf(APP)).toEqual(nothing);
      });

      test('a delivery that was tried takes more bytes, and a removed one takes none', async () => {
        await outbox.close();
        await begin({ ...BOUNDS, maxPending: 1000, maxBytes: 20 * KILOBYTE });
        for (let n = 0; n < 40; n += 1) {
          await outbox.append([big('a')]);
          await outbox.deliveries.acknowledge((await head('a'))!);
        }
        await outbox.append([big('a')]);
        const answer = 'x'.repeat(2 * KILOBYTE);
        for (let at = 0; at < 10; at += 1) {
          await outbox.deliveries.fail((await head('a'))!, { at, status: 500, answer }, at);
        }
        await outbox.append([big('b')]);
        expect(outbox.deliveries.counts(hook.key)).toEqual({ pending: 1, failing: 0, dead: 0 });
      });
    });
  });
}
