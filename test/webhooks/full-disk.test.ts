/** A disk that is full for long: what was committed is not lost, a broker starts, and the write-ahead log has a bound. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Database } from '#server/data/database';
import { request } from '../helpers/api.ts';
import { MortalBroker } from '../helpers/brokers/killable-broker.ts';
import { type ReceivedEvent, readEvents, startReceiver, status } from '../helpers/brokers/receiver.ts';
import { APP } from '../helpers/brokers/server.ts';
import { connect, type TestClient } from '../helpers/clients/client.ts';
import { eventually } from '../helpers/eventually.ts';
import { newFolder } from '../helpers/folder.ts';
import { readSamples } from '../helpers/metrics.ts';
import { fileOnDisk, smallDisk } from '../helpers/small-disk.ts';

const ROOM = 'private-room';
const KIB = 1024;

async function committed({ broker }: MortalBroker): Promise<ReceivedEvent[]> {
  const events: ReceivedEvent[] = [];
  for (;;) {
    const query = { after_seq: String(events.length), limit: '1000' };
    const { status, body } = await request(broker, 'GET', '/webhook_events', { query });
    expect(status).toBe(200);
    const page = body as { events: unknown; last_seq: number };
    events.push(...readEvents(page.events));
    if (events.length >= page.last_seq) return events;
  }
}

async function samplesOf({ broker }: MortalBroker) {
  const samples = await readSamples(`${broker.url}/metrics`);
  return (name: string, labels = '') => samples.get(`countersign_${name}{app="${APP.id}"${labels}}`);
}

/** Two clients of a broker, of which one speaks and the other hears. */
async function talk({ broker }: MortalBroker) {
  const [ann, bob] = [await connect(broker), await connect(broker)];
  for (const client of [ann, bob]) await client.join(ROOM);
  let said = 0;
  return {
    get said() {
      return said;
    },
    async say(size: number): Promise<void> {
      ann.trigger(ROOM, 'client-said', 'x'.repeat(size));
      said += 1;
      await hears(bob);
    },
  };
}

const hears = (client: TestClient) =>
  client.until((received) => typeof received === 'string' && received.includes('client-said'));

test('kill -9 and a start while the disk is full lose nothing that was committed, and all of it arrives', async ({
  skip,
}) => {
  const disk = smallDisk();
  if (!disk) return skip('no small disk can be mounted here');
  const receiver = await startReceiver();
  receiver.reply = status(500);
  const config = {
    host: '127.0.0.1',
    port: 0,
    data: join(disk.folder, 'data'),
    apps: [
      {
        id: APP.id,
        keys: [{ key: APP.key, secret: APP.secret }],
        limits: { framesPerSecond: null, clientEventsPerSecond: null },
        webhooks: [{ id: 'backend', url: receiver.url(), events: ['client_event'] }],
      },
    ],
  };
  const first = await MortalBroker.start(config);
  const before = await talk(first);
  for (let n = 0; n < 20; n += 1) await before.say(5000);
  disk.fill();
  let lost: number | undefined;
  // Some are small enough for what the files have left of room, and some are not.
  for (let n = 0; n < 5 || !lost; n += 1) {
    await before.say(n % 2 === 0 ? 9000 : 1);
    lost = (await samplesOf(first))('webhook_events_lost_total');
  }
  const kept = await committed(first);
  expect(kept).toHaveLength(before.said - lost);
  const bytes = (await samplesOf(first))('webhook_kept_bytes', ',kind="event"');
  expect(bytes).toBeGreaterThan(20 * 5000);
  await first.end('SIGKILL');

  const second = await MortalBroker.start(config);
  expect(await committed(second)).toEqual(kept);
  expect((await samplesOf(second))('webhook_kept_bytes', ',kind="event"')).toBe(bytes);
  disk.free();
  const after = await talk(second);
  await eventually(async () => {
    await after.say(1);
    expect((await committed(second)).length).toBeGreaterThan(kept.length);
  });
  expect((await committed(second)).slice(0, kept.length)).toEqual(kept);
  receiver.reply = (response) => void response.writeHead(204).end();
  const arrived = await receiver.eventsUntil(({ seq }) => seq === kept.length + 1);
  expect(new Set(arrived.map(({ id }) => id))).toEqual(
    new Set((await committed(second)).slice(0, kept.length + 1).map(({ id }) => id)),
  );
}, 60_000);

describe('a write-ahead log that cannot be copied into its file, which has no room to grow', () => {
  test('stops at its bound, keeps what was committed, and goes on once there is room', async ({ skip }) => {
    const folder = newFolder();
    const file = join(folder, 'countersign.db');
    const disk = fileOnDisk(file, 2 * KIB * KIB);
    if (!disk) return skip('no file can be put on another disk here');
    const database = new Database(folder);
    database.transaction(() => database.prepare('CREATE TABLE line (text TEXT)').run());
    const insert = database.prepare<[string]>('INSERT INTO line VALUES (?)');
    const write = (text: string) => database.transaction(() => insert.run(text));
    let written = 0;
    const fill = () => {
      for (; written < 100; written += 1) write('x'.repeat(KIB * KIB));
    };
    expect(fill).toThrow();
    expect(written).toBeGreaterThan(40);
    for (let n = 0; n < 100; n += 1) expect(() => write('one more')).toThrow();
    expect(statSync(`${file}-wal`).size).toBeLessThan(80 * KIB * KIB);

    disk.grow(200 * KIB * KIB);
    await eventually(() => write('after'));
    expect(statSync(`${file}-wal`).size).toBeLessThan(KIB * KIB);
    const lines = database.prepare<[], { length: number; count: number }>(
      'SELECT length(text) AS length, count(*) AS count FROM line GROUP BY length(text) ORDER BY 1',
    );
    expect(lines.all()).toMatchObject([
      { length: 5, count: 1 },
      { length: KIB * KIB, count: written },
    ]);
    database.close();
  }, 60_000);
});
