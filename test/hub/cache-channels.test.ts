import { MemoryAdapter } from '@countersign/server';
import { describe, expect, test } from 'vitest';
import { publish, publishBatch, publishTo } from '../helpers/api.ts';
import { type ServerSettings, startServer } from '../helpers/brokers/server.ts';
import { connect, type Received } from '../helpers/clients/client.ts';
import { frames } from '../helpers/frames.ts';

const NEWS = 'cache-news';
const ANN = { user_id: 'ann' };

/** A broker whose cache grows old as fast as the test says. */
async function startClock(settings: ServerSettings = {}) {
  const clock = { now: 1_700_000_000_000 };
  const adapter = new MemoryAdapter({ monotonic: () => clock.now });
  const server = await startServer({ ...settings, parts: { adapter } });
  /** The frames that a new subscriber gets. */
  const arrive = async (channel = NEWS): Promise<Received[]> => {
    const client = await connect(server);
    const received = [await client.join(channel, ANN), ...(await client.nothing())];
    client.unsubscribe(channel);
    await client.nothing();
    return received;
  };
  return { clock, server, arrive };
}

describe.each([
  ['cache-a', frames.subscribed('cache-a')],
  ['private-cache-a', frames.subscribed('private-cache-a')],
  ['presence-cache-a', frames.presence('presence-cache-a', [['ann', null]])],
])('%s', (channel, acknowledged) => {
  test('sends a new subscriber cache_miss if nothing was published', async () => {
    const { arrive } = await startClock();
    expect(await arrive(channel)).toEqual([acknowledged, frames.cacheMiss(channel)]);
    expect(await arrive(channel)).toEqual([acknowledged, frames.cacheMiss(channel)]);
  });

  test('gives a newcomer the last event, after the acknowledgement', async () => {
    const { server, arrive } = await startClock();
    await publish(server, channel, 'e', '1');
    await publish(server, channel, 'App\\Event', '{"n": 2}');
    const last = frames.event('App\\Event', channel, '{"n": 2}');
    expect(await arrive(channel)).toEqual([acknowledged, last]);
    expect(await arrive(channel)).toEqual([acknowledged, last]);
  });
});

test('private-encrypted-cache- keeps what is encrypted, as it is', async () => {
  const { server, arrive } = await startClock();
  const data = JSON.stringify({ nonce: 'A'.repeat(32), ciphertext: 'B'.repeat(24) });
  const channel = 'private-encrypted-cache-a';
  expect(await arrive(channel)).toEqual([frames.subscribed(channel), frames.cacheMiss(channel)]);
  await publish(server, channel, 'e', data);
  expect(await arrive(channel)).toEqual([frames.subscribed(channel), frames.event('e', channel, data)]);
});

describe('the kept event', () => {
  const miss = [frames.subscribed(NEWS), frames.cacheMiss(NEWS)];
  const hit = (data: string) => [frames.subscribed(NEWS), frames.event('e', NEWS, data)];

  test('lives for half an hour, counted from its publishing', async () => {
    const { clock, server, arrive } = await startClock();
    await publish(server, NEWS, 'e', '1');
    clock.now += 1_800_000 - 1;
    expect(await arrive()).toEqual(hit('1'));
    clock.now += 1;
    expect(await arrive()).toEqual(miss);
  });

  test('begins a new life with each publishing', async () => {
    const { clock, server, arrive } = await startClock();
    await publish(server, NEWS, 'e', '1');
    clock.now += 1_799_000;
    await publish(server, NEWS, 'e', '2');
    clock.now += 1_799_000;
    expect(await arrive()).toEqual(hit('2'));
    clock.now += 1000;
    expect(await arrive()).toEqual(miss);
    await publish(server, NEWS, 'e', '3');
    expect(await arrive()).toEqual(hit('3'));
  });

  test('lives for as long as the app says', async () => {
    const { clock, server, arrive } = await startClock({ app: { cacheSeconds: 1 } });
    await publish(server, NEWS, 'e', '1');
    clock.now += 999;
    expect(await arrive()).toEqual(hit('1'));
    clock.now += 1;
    expect(await arrive()).toEqual(miss);
  });

  test('outlives its subscribers', async () => {
    const { server, arrive } = await startClock();
    expect(await arrive()).toEqual(miss);
    const client = await connect(server);
    await client.join(NEWS);
    await publish(server, NEWS, 'e', '1');
    client.unsubscribe(NEWS);
    await client.nothing();
    expect(await arrive()).toEqual(hit('1'));
  });

  test('is the last one also for the connection that it was not sent to', async () => {
    const { server, arrive } = await startClock();
    const client = await connect(server);
    await client.join(NEWS);
    await client.next();
    await publish(server, NEWS, 'e', '1', { socket_id: client.socketId });
    expect(await client.nothing()).toEqual([]);
    expect(await arrive()).toEqual(hit('1'));
    client.unsubscribe(NEWS);
    expect([await client.join(NEWS), await client.next()]).toEqual(hit('1'));
  });

  test('may have no data', async () => {
    const { server, arrive } = await startClock();
    await publish(server, NEWS, 'e', '');
    expect(await arrive()).toEqual(hit(''));
  });

  test('of a batch is its last', async () => {
    const { server, arrive } = await startClock();
    await publishBatch(server, [
      { channel: NEWS, name: 'e', data: '1' },
      { channel: 'cache-other', name: 'e', data: '2' },
      { channel: NEWS, name: 'e', data: '3' },
    ]);
    expect(await arrive()).toEqual(hit('3'));
  });

  test('is kept in each channel that it was published to', async () => {
    const { server, arrive } = await startClock();
    await publishTo(server, [NEWS, 'news', 'cache-other'], 'e', '1');
    expect(await arrive()).toEqual(hit('1'));
    const event = frames.event('e', 'cache-other', '1');
    expect(await arrive('cache-other')).toEqual([frames.subscribed('cache-other'), event]);
    expect(await arrive('news')).toEqual([frames.subscribed('news')]);
  });

  test('is sent once: what was there at the beginning does not come again', async () => {
    const { server } = await startClock();
    const client = await connect(server);
    await publish(server, NEWS, 'e', '1');
    await client.join(NEWS);
    await publish(server, NEWS, 'e', '2');
    expect(await client.nothing()).toEqual([frames.event('e', NEWS, '1'), frames.event('e', NEWS, '2')]);
  });

  test('is not sent again after a repeated subscribe', async () => {
    const { server } = await startClock();
    const client = await connect(server);
    await client.join(NEWS);
    await client.next();
    expect(await client.join(NEWS)).toBe(frames.subscribed(NEWS));
    await publish(server, NEWS, 'e', '1');
    await client.next();
    expect(await client.join(NEWS)).toBe(frames.subscribed(NEWS));
    expect(await client.nothing()).toEqual([]);
  });
});

test('member events are not kept, and reach the others after the new member has its snapshot', async () => {
  const { server } = await startClock();
  const channel = 'presence-cache-room';
  const [ann, bob, cal] = [await connect(server), await connect(server), await connect(server)];
  await publish(server, channel, 'e', '1');
  await ann.join(channel, ANN);
  await bob.join(channel, { user_id: 'bob' });
  bob.unsubscribe(channel);
  await bob.nothing();
  expect(await ann.nothing()).toEqual([
    frames.event('e', channel, '1'),
    frames.memberAdded(channel, 'bob'),
    frames.memberRemoved(channel, 'bob'),
  ]);
  await cal.join(channel, { user_id: 'cal' });
  expect(await cal.next()).toBe(frames.event('e', channel, '1'));
});
