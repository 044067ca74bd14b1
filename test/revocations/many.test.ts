/** A revocation of very many has effect at once, and leaves the process to the others while those that it hit are told. */
import { expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { MortalBroker } from '../helpers/brokers/killable-broker.ts';
import { configOf } from '../helpers/brokers/server.ts';
import { connect, type TestClient } from '../helpers/clients/client.ts';
import { granted, inSeconds } from '../helpers/clients/grants.ts';
import { frames } from '../helpers/frames.ts';
import { has, revoke } from './stage.ts';

const LAST = 'private-99';

/** A broker whose loop is not that of the test. */
async function startBroker() {
  const limits = { subscriptionsPerConnection: 200, framesPerSecond: 1000 };
  return (await MortalBroker.start(configOf({ limits }))).broker;
}

/** Clients that are in all channels, a hundred at a time. */
async function fill(
  broker: Parameters<typeof connect>[0],
  count: number,
  channels: readonly string[],
): Promise<TestClient[]> {
  const clients: TestClient[] = [];
  while (clients.length < count) {
    const opened = await Promise.all(Array.from({ length: 100 }, () => connect(broker)));
    for (const client of opened) for (const channel of channels) client.askFor(channel);
    for (const client of opened)
      for (const channel of channels) await client.until(has(`"channel":"${channel}"`));
    clients.push(...opened);
  }
  return clients;
}

test('20,000 subscriptions end at once: others are served meanwhile, and a new grant waits until the old one is told', async () => {
  const broker = await startBroker();
  const channels = Array.from({ length: 100 }, (_, n) => `private-${n}`);
  const clients = await fill(broker, 200, channels);
  const other = await connect(broker);
  await other.join('news');
  const { status, body } = await revoke(broker, { target: { channel_prefix: 'private-' }, reason: 'Over' });
  expect(status).toBe(200);
  expect(body.ended).toEqual({ subscriptions: 20_000, connections: 0 });

  const last = clients.at(-1)!;
  const told = last.until(has(`"channel":"${LAST}"`)).then(() => performance.now());
  last.askFor(LAST, granted({ iat: inSeconds(30) }));
  expect(await other.nothing()).toEqual([]);
  const servedAt = performance.now();
  await publish(broker, LAST, 'e', 'after');
  await publish(broker, 'news', 'e', 'text');
  expect(await other.next()).toBe(frames.event('e', 'news', 'text'));
  expect(servedAt).toBeLessThan(await told);

  expect(await last.next()).toBe(frames.subscribed(LAST));
  await publish(broker, LAST, 'e', 'again');
  expect(await last.next()).toBe(frames.event('e', LAST, 'again'));
  const { body: occupied } = await request(broker, 'GET', '/channels');
  expect(occupied).toEqual({ channels: { news: {}, [LAST]: {} } });
  for (const client of clients.slice(0, -1)) {
    const received = await client.nothing();
    expect(received).toHaveLength(channels.length);
    expect(received.every(has('grant_revoked'))).toBe(true);
  }
});

test('2,000 connections that are closed by force are silent from then on, though it takes long to close them all', async () => {
  const broker = await startBroker();
  const clients = await fill(broker, 2000, [LAST, 'news']);
  const { body } = await revoke(broker, { target: { channel: LAST }, action: 'disconnect' });
  expect(body.ended).toEqual({ subscriptions: 2000, connections: 2000 });
  await publish(broker, 'news', 'e', 'after');
  for (const client of clients) {
    const received = await client.until((each) => typeof each !== 'string');
    expect(received.map((each) => (typeof each === 'string' ? JSON.parse(each).event : each.code))).toEqual([
      'pusher:error',
      4009,
    ]);
  }
});
