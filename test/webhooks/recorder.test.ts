import { MemoryAdapter } from '@countersign/server';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { FileAppStore } from '#server/apps/file-store';
import { Database } from '#server/data/database';
import { Metrics } from '#server/metrics';
import { RosterPresence } from '#server/webhooks/cluster/roster-presence';
import { SqliteOutbox } from '#server/webhooks/outbox/sqlite/outbox';
import { Recorder } from '#server/webhooks/recorder';
import { BOUNDS } from '../contracts/outbox.contract.ts';
import { APP, configOf } from '../helpers/brokers/server.ts';
import { eventually } from '../helpers/eventually.ts';
import { newFolder } from '../helpers/folder.ts';
import { recordLog } from '../helpers/log.ts';

const ROOM = 'presence-room';
const EVENTS = [
  'channel_occupied',
  'channel_vacated',
  'member_added',
  'member_removed',
  'user_online',
  'user_offline',
];

/** A recorder of one of many nodes, and the roster that it has for a presence. */
function makeRecorder() {
  const { apps } = configOf({ app: { webhooks: [{ url: 'http://localhost/', events: EVENTS }] } });
  const store = new FileAppStore(apps);
  const database = new Database(newFolder());
  const outbox = new SqliteOutbox({ ...BOUNDS, database, now: Date.now });
  const { roster } = new MemoryAdapter();
  const presence = new RosterPresence(roster, store);
  const recorder = new Recorder({
    apps: store,
    outbox,
    presence,
    metrics: new Metrics(),
    log: pino({ level: 'silent' }),
    now: Date.now,
    graceMs: 0,
    restartGraceMs: 0,
  });
  onTestFinished(async () => {
    recorder.close();
    await outbox.close();
    database.close();
  });
  const told = async () => {
    const { events } = await outbox.events(APP.id, 0, 100);
    return events.map((text) => {
      const { name, channel, user_id } = JSON.parse(text);
      return [name, channel, user_id].filter(Boolean).join(' ');
    });
  };
  const sit = (channel: string, userId?: string) =>
    roster.join(
      `${APP.id}:${channel}`,
      { socketId: '1.1', since: 0, client: '', address: '' },
      userId === undefined ? {} : { member: { userId } },
    );
  const rise = (channel: string) => roster.leave(`${APP.id}:${channel}`, '1.1');
  const compare = async () => recorder.compare(await presence.present());
  return { recorder, told, sit, rise, compare };
}

const edge = (kind: 'memberAdded' | 'memberRemoved', userId: string) =>
  ({ kind, topic: `${APP.id}:${ROOM}`, userId, socketId: '1.1' }) as const;

test('who is there without a record is told at the second look, and who has gone without one by and by', async () => {
  const { told, sit, rise, compare } = makeRecorder();
  await sit(ROOM, 'ann');
  await sit('#user-bob');
  await sit('#server-to-user-bob');
  await compare();
  expect(await told()).toEqual([]);
  await compare();
  await compare();
  const come = [
    'channel_occupied presence-room',
    'member_added presence-room ann',
    'user_online #server-to-user-bob bob',
  ];
  expect(await told()).toEqual(come);

  await rise(ROOM);
  await rise('#user-bob');
  await compare();
  const gone = [
    'channel_vacated presence-room',
    'member_removed presence-room ann',
    'user_offline #server-to-user-bob bob',
  ];
  const after = async () => (await told()).slice(come.length);
  await eventually(async () => expect((await after()).toSorted()).toEqual(gone));
  const [vacated, removed] = gone;
  expect((await after()).indexOf(removed!)).toBeLessThan((await after()).indexOf(vacated!));
});

test('whose record comes between two looks is told once', async () => {
  const { recorder, told, sit, compare } = makeRecorder();
  await sit(ROOM, 'ann');
  await recorder.record([{ kind: 'occupied', topic: `${APP.id}:${ROOM}`, socketId: '1.1' }]);
  await compare();
  await recorder.record([edge('memberAdded', 'ann')]);
  await compare();
  expect(await told()).toEqual(['channel_occupied presence-room', 'member_added presence-room ann']);
});

test('a departure that is recorded after the return is none', async () => {
  const { recorder, told, sit } = makeRecorder();
  await sit(ROOM, 'ann');
  await recorder.record([edge('memberAdded', 'ann')]);
  await recorder.record([edge('memberRemoved', 'ann')]);
  // If she had gone, she would be told of before him.
  await recorder.record([edge('memberRemoved', 'bob')]);
  await eventually(async () => expect(await told()).toContain('member_removed presence-room bob'));
  expect(await told()).toEqual([
    'member_added presence-room ann',
    'member_added presence-room bob',
    'member_removed presence-room bob',
  ]);
});

test('who goes and nobody had told that he came has come and gone', async () => {
  const { recorder, told } = makeRecorder();
  await recorder.record([edge('memberRemoved', 'bob')]);
  await eventually(async () => expect(await told()).toHaveLength(2));
  expect(await told()).toEqual(['member_added presence-room bob', 'member_removed presence-room bob']);
});

test('removals that cannot be committed are tried again once a second, those of each app by themselves', async () => {
  const ids = ['app-a', 'app-b'];
  const { apps } = configOf({ app: { webhooks: [{ url: 'http://localhost/', events: EVENTS }] } });
  const store = new FileAppStore(
    ids.map((id) => ({ ...apps[0]!, id, keys: [{ ...apps[0]!.keys[0]!, key: id }] })),
  );
  const database = new Database(newFolder());
  const outbox = new SqliteOutbox({ ...BOUNDS, database, now: Date.now });
  await outbox.append(
    ids.map((appId) => ({
      appId,
      event: undefined,
      lane: ROOM,
      hooks: [],
      ledger: { told: { appId, channel: ROOM, userId: '' }, is: 'there' },
    })),
  );
  // The ledger of one app cannot be written any more.
  database
    .prepare(
      "CREATE TRIGGER refuse BEFORE DELETE ON told WHEN OLD.app = 'app-a' BEGIN SELECT RAISE(ABORT, 'refused'); END",
    )
    .run();
  const tries: string[] = [];
  const counted = new Proxy(outbox, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (name !== 'append') return typeof member === 'function' ? member.bind(target) : member;
      return (changes: Parameters<SqliteOutbox['append']>[0]) => {
        tries.push(changes.map(({ appId }) => appId).join());
        return target.append(changes);
      };
    },
  });
  const { log, lines } = recordLog('info');
  const recorder = new Recorder({
    apps: store,
    outbox: counted,
    metrics: new Metrics(),
    log,
    now: Date.now,
    graceMs: 0,
    restartGraceMs: 0,
  });
  onTestFinished(async () => {
    recorder.close();
    await outbox.close();
    database.close();
  });
  const started = performance.now();
  recorder.start('usual');
  await eventually(() => expect(tries.filter((apps) => apps === 'app-a').length).toBeGreaterThan(2));
  expect(performance.now() - started).toBeGreaterThan(1900);
  expect(tries.filter((apps) => apps === 'app-b')).toHaveLength(1);
  expect((await outbox.events('app-b', 0, 9)).events).toHaveLength(1);
  // One app that works again says nothing of another.
  await recorder.record([{ kind: 'occupied', topic: 'app-b:news', socketId: '1.1' }]);
  expect(lines.map(({ msg, appId }) => [msg, appId])).toEqual([
    ['webhook events could not be committed', 'app-a'],
  ]);
});
