/** A disk that takes its time, or does not answer at all: only what has to be committed waits for it. */
import { expect, test } from 'vitest';
import { request } from '../helpers/api.ts';
import { MortalBroker } from '../helpers/brokers/killable-broker.ts';
import { APP } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { eventually } from '../helpers/eventually.ts';
import { newFolder } from '../helpers/folder.ts';
import { frames } from '../helpers/frames.ts';
import { readSamples } from '../helpers/metrics.ts';
import { slowDisk } from '../helpers/slow-disk.ts';

const ROOM = 'presence-room';

const config = () => ({
  host: '127.0.0.1',
  port: 0,
  data: newFolder(),
  apps: [
    {
      id: APP.id,
      keys: [{ key: APP.key, secret: APP.secret }],
      webhooks: [{ url: 'http://127.0.0.1:9/', events: ['member_added'] }],
    },
  ],
});

test('a slow disk delays what has to be committed, and nobody else', async ({ skip }) => {
  const disk = slowDisk();
  if (!disk) return skip('nothing compiles C here');
  const { broker } = await MortalBroker.start(config(), disk.env);
  const ann = await connect(broker);
  await ann.join(ROOM, { user_id: 'ann' });
  const bob = await connect(broker);
  bob.askFor(ROOM, { user_id: 'bob' });
  let isTold = false;
  const told = ann.next().then((frame) => {
    isTold = true;
    return frame;
  });
  let answers = 0;
  for (; !isTold; answers += 1) await (await fetch(`${broker.url}/health`)).text();
  expect(await told).toContain('member_added');
  expect(answers).toBeGreaterThan(5);
}, 60_000);

test('on a disk that hangs an event is given up after a while, which is told; once it answers, events are committed again', async ({
  skip,
}) => {
  const disk = slowDisk();
  if (!disk) return skip('nothing compiles C here');
  const { broker } = await MortalBroker.start(config(), disk.env);
  const ready = async () => (await (await fetch(`${broker.url}/ready`)).json()) as unknown;
  const users = async () => {
    const { body } = await request(broker, 'GET', '/webhook_events');
    return (body as { events: { user_id: string }[] }).events.map(({ user_id }) => user_id);
  };
  const [ann, bob] = [await connect(broker), await connect(broker)];
  await ann.join(ROOM, { user_id: 'ann' });
  await eventually(async () => expect(await users()).toEqual(['ann']));
  disk.hang();
  bob.askFor(ROOM, { user_id: 'bob' });
  expect(await ann.nothing()).toEqual([]);
  expect(await ann.next(60_000)).toBe(frames.memberAdded(ROOM, 'bob'));
  expect(await ready()).toEqual({ status: 'degraded', reason: 'The data directory does not answer' });
  const samples = await readSamples(`${broker.url}/metrics`);
  expect(samples.get(`countersign_webhook_events_lost_total{app="${APP.id}"}`)).toBe(1);

  disk.recover();
  await eventually(async () => expect(await ready()).toEqual({ status: 'ready' }));
  const cid = await connect(broker);
  await cid.join(ROOM, { user_id: 'cid' });
  await ann.until((frame) => frame === frames.memberAdded(ROOM, 'cid'));
  const committed = await users();
  expect(committed).toEqual(expect.arrayContaining(['ann', 'cid']));
}, 120_000);
