import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { Database, DataError } from '#server/data/database';
import { SqliteRevocationStore } from '#server/data/revocation-store';
import { Store } from '#server/store/store';
import { MemoryOutbox } from '#server/webhooks/outbox/memory/outbox';
import { SqliteOutbox } from '#server/webhooks/outbox/sqlite/outbox';
import { BOUNDS, newHook, outboxContract, told } from '../contracts/outbox.contract.ts';
import { newFolder } from '../helpers/folder.ts';

const folders = mkdtempSync(join(tmpdir(), 'countersign-'));
afterAll(() => rmSync(folders, { recursive: true }));

outboxContract('memory', (bounds) => {
  let now = 1000;
  return {
    outbox: new MemoryOutbox({ ...bounds, now: () => now }),
    advance(milliseconds) {
      now += milliseconds;
    },
  };
});

outboxContract('SQLite', (bounds) => {
  let now = 1000;
  const database = new Database(mkdtempSync(join(folders, 'contract-')));
  return {
    outbox: new SqliteOutbox({ ...bounds, database, now: () => now }),
    advance(milliseconds) {
      now += milliseconds;
    },
  };
});

outboxContract('the data thread', async (bounds) => {
  let now = 1000;
  const store = await Store.open({
    directory: mkdtempSync(join(folders, 'contract-')),
    bounds,
    now: () => now,
    log: pino({ level: 'silent' }),
  });
  const { outbox } = store;
  outbox.close = () => store.close();
  return {
    outbox,
    advance(milliseconds) {
      now += milliseconds;
    },
  };
});

describe('the memory outbox', () => {
  test('names the time in which it counts', async () => {
    const [one, two] = [0, 1].map(() => new MemoryOutbox({ ...BOUNDS, now: Date.now }));
    await one!.append([told('a')]);
    const { events } = await one!.events('app-1', 0, 1);
    expect(JSON.parse(events[0]!)).toMatchObject({ seq: '1', epoch: one!.epoch });
    expect(one!.epoch).not.toBe(two!.epoch);
  });
});

describe('the SQLite outbox', () => {
  const open = (folder: string) => {
    const database = new Database(folder);
    const outbox = new SqliteOutbox({ ...BOUNDS, maxPending: 100_000, database, now: Date.now });
    return { database, outbox };
  };

  test('has everything again when it is opened again', async () => {
    const folder = newFolder();
    const hook = newHook('hook-1');
    const member = { appId: 'app-1', channel: 'presence-a', userId: 'ann' };
    const first = open(folder);
    await first.outbox.append([{ ...told('presence-a'), ledger: { told: member, is: 'there' } }, told('b')]);
    await first.outbox.append([{ ...told('c'), ledger: { told: { ...member, userId: '' }, is: 'there' } }]);
    await first.outbox.append([{ ...told('c'), ledger: { told: { ...member, userId: '' }, is: 'gone' } }]);
    const delivery = (await first.outbox.deliveries.head(hook.key, 'b', 1))!;
    await first.outbox.deliveries.fail(delivery, { at: 1, status: 500, answer: 'no' }, 7);
    await first.outbox.setState(hook.key, 'paused');
    await first.outbox.close();
    first.database.close();

    const { outbox, database } = open(folder);
    onTestFinished(() => database.close());
    expect(outbox.told()).toEqual([member]);
    expect(outbox.stateOf(hook.key)).toBe('paused');
    expect(outbox.deliveries.counts(hook.key)).toEqual({ pending: 3, failing: 1, dead: 0 });
    expect(await outbox.deliveries.head(hook.key, 'b', 1)).toEqual({
      ...delivery,
      state: 'failing',
      dueAt: 7,
      tries: 1,
      triedSince: 1,
      attempts: [{ at: 1, status: 500, answer: 'no' }],
    });
    await outbox.append([told('d')]);
    const { events } = await outbox.events('app-1', 0, 9);
    expect(events.map((text) => Number(JSON.parse(text).seq))).toEqual([1, 2, 3, 4, 5]);
  });

  test('commits ten thousand changes of a burst in a few transactions', async () => {
    const { outbox, database } = open(newFolder());
    onTestFinished(() => database.close());
    const transact = vi.spyOn(database, 'transaction');
    await Promise.all(Array.from({ length: 10_000 }, (_, n) => outbox.append([told(`channel-${n}`)])));
    expect((await outbox.events('app-1', 9_999, 1)).lastSeq).toBe(10_000);
    expect(transact.mock.calls.length).toBeLessThanOrEqual(20);
  });

  test('a write that cannot be made is alone with that', async () => {
    const { outbox, database } = open(newFolder());
    onTestFinished(() => database.close());
    database
      .prepare(
        `CREATE TRIGGER refuse BEFORE INSERT ON event WHEN NEW.app = 'app-2'
         BEGIN SELECT RAISE(ABORT, 'not this one'); END`,
      )
      .run();
    const change = (n: number) => told('a', [newHook('hook-1')], n % 100 === 7 ? 'app-2' : 'app-1');
    const done = await Promise.allSettled(Array.from({ length: 400 }, (_, n) => outbox.append([change(n)])));
    const refused = done.flatMap(({ status }, n) => (status === 'rejected' ? [n] : []));
    expect(refused).toEqual([7, 107, 207, 307]);
    const { events } = await outbox.events('app-1', 0, 1000);
    expect(events.map((text) => Number(JSON.parse(text).seq))).toEqual(
      Array.from({ length: 396 }, (_, n) => n + 1),
    );
    expect(outbox.deliveries.counts('app-1:hook-1')).toEqual({ pending: 396, failing: 0, dead: 0 });
  });

  test('takes times with fractions', async () => {
    const { outbox, database } = open(newFolder());
    onTestFinished(() => database.close());
    await outbox.append([told('a')]);
    const delivery = (await outbox.deliveries.head('app-1:hook-1', 'a', 1))!;
    await outbox.deliveries.fail(delivery, { at: 1.5, status: 500, answer: 'no' }, 7.25);
    expect(await outbox.deliveries.head('app-1:hook-1', 'a', 1)).toMatchObject({ tries: 1, dueAt: 8 });
  });

  test('a transaction that fails leaves nothing, and those who wait for it know', async () => {
    const folder = newFolder();
    const { outbox, database } = open(folder);
    onTestFinished(() => database.close());
    await outbox.append([told('a')]);
    database.prepare('ALTER TABLE sequence RENAME TO hidden').run();
    const failed = await Promise.allSettled([outbox.append([told('a')]), outbox.append([told('b', [])])]);
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    database.prepare('ALTER TABLE hidden RENAME TO sequence').run();
    await outbox.append([told('c')]);
    const { events } = await outbox.events('app-1', 0, 9);
    expect(events.map((text) => JSON.parse(text))).toMatchObject([
      { seq: '1', channel: 'a' },
      { seq: '2', channel: 'c' },
    ]);
    expect(outbox.deliveries.counts('app-1:hook-1')).toEqual({ pending: 2, failing: 0, dead: 0 });
  });
});

describe('a data directory', () => {
  test('belongs to one broker at a time', async () => {
    const folder = newFolder();
    const holder = fork(new URL('../helpers/brokers/lock-data.js', import.meta.url), [folder]);
    onTestFinished(() => void holder.kill('SIGKILL'));
    await once(holder, 'message');
    expect(() => new Database(folder)).toThrow(DataError);
    expect(() => new Database(folder)).toThrow(/countersign\.db cannot be used: another process has it open/);
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    new Database(folder).close();
  });

  test('of a newer version is left alone', () => {
    const folder = newFolder();
    const database = new Database(folder);
    database.prepare('PRAGMA user_version = 999').run();
    database.close();
    expect(() => new Database(folder)).toThrow(/a newer version of the broker wrote it/);
  });

  test('that cannot be made is named', () => {
    expect(() => new Database('/dev/null/data')).toThrow(
      /The data directory \/dev\/null\/data cannot be used/,
    );
  });

  test('keeps what was revoked, until the time is over or it is forgotten', () => {
    const folder = newFolder();
    const database = new Database(folder);
    onTestFinished(() => database.close());
    let now = 1000;
    const store = new SqliteRevocationStore(database, () => now);
    const ban = {
      id: 'rev-1',
      appId: 'app-1',
      target: { userId: 'ann' },
      action: 'end',
      reason: 'spam',
    } as const;
    const long = { ...ban, at: 0, blockedUntil: 5000 };
    const short = { ...ban, id: 'rev-2', at: 0, outlawsUntil: 3000 };
    store.save({ ...long, blockedUntil: 2000 });
    store.save(short);
    store.save(long);
    expect(new SqliteRevocationStore(database, () => now).load()).toEqual([short, long]);
    now = 3000;
    expect(store.load()).toEqual([long]);
    store.forget('app-1', 'rev-1');
    expect(store.load()).toEqual([]);
  });
});
