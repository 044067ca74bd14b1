import { describe, expect, test } from 'vitest';
import { publish, publishBatch, publishTo } from '../helpers/api.ts';
import { OTHER_APP, startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { frames } from '../helpers/frames.ts';

describe('an event', () => {
  const backslash = String.fromCharCode(92);

  test.each([
    ['nothing', ''],
    ['null', 'null'],
    ['a word', 'hello'],
    ['a number above 2^53', '9007199254740993'],
    ['a number of many digits', '{"n":0.10000000000000000000001}'],
    ['spaces and a doubled key', '{ "a" : 1,\n\t"a":2 }'],
    ['unicode', '{"name":"Zoë Ω 漢字 🚀"}'],
    ['unicode in escapes', `{"name":"Zo${backslash}u00eb"}`],
    ['line separators', '\u2028\u2029'],
    ['control characters', '\0\u0001\u001f\u007f\r\n'],
    ['quotes and backslashes', `"${backslash}"${backslash}${backslash}/`],
    ['a surrogate without its other half', 'a\ud800b'],
    ['such a surrogate in an escape', `"${backslash}ud800"`],
    ['nesting 4500 deep', '['.repeat(4500)],
  ])('carries %s unchanged', async (_, data) => {
    const server = await startServer();
    const client = await connect(server);
    await client.join('news');
    await publish(server, 'news', 'e', data);
    expect(await client.nextMessage()).toStrictEqual({ event: 'e', channel: 'news', data });
  });

  test.each(['App\\Events\\Shipped', 'grüße 🚀', 'client-like', 'pusher', '__proto__', 'x'.repeat(200)])(
    'may be called %s',
    async (name) => {
      const server = await startServer();
      const client = await connect(server);
      await client.join('news');
      await publish(server, 'news', name, '1');
      expect(await client.next()).toBe(frames.event(name, 'news', '1'));
    },
  );

  test('comes to every subscriber of its channel, as the same text', async () => {
    const server = await startServer();
    const clients = await Promise.all(Array.from({ length: 10 }, () => connect(server)));
    for (const client of clients) await client.join('news');
    await publish(server, 'news', 'e', '{"a":1}');
    for (const client of clients) expect(await client.next()).toBe(frames.event('e', 'news', '{"a":1}'));
  });

  test('comes in the order in which it was published', async () => {
    const server = await startServer();
    const client = await connect(server);
    await client.join('news');
    for (let n = 0; n < 50; n += 1) await publish(server, 'news', 'e', String(n));
    for (let n = 0; n < 50; n += 1) expect(await client.next()).toBe(frames.event('e', 'news', String(n)));
  });

  test('of a batch comes in the order of the batch', async () => {
    const server = await startServer();
    const client = await connect(server);
    await client.join('a');
    await client.join('b');
    const batch = ['a', 'b', 'a', 'b'].map((channel, n) => ({ channel, name: 'e', data: String(n) }));
    await publishBatch(server, batch);
    for (const { channel, data } of batch) expect(await client.next()).toBe(frames.event('e', channel, data));
  });

  test('to several channels comes once for each', async () => {
    const server = await startServer();
    const [both, one] = [await connect(server), await connect(server)];
    await both.join('a');
    await both.join('b');
    await one.join('b');
    await publishTo(server, ['b', 'a', 'c', 'b'], 'e', '1');
    expect(await both.nothing()).toEqual([frames.event('e', 'b', '1'), frames.event('e', 'a', '1')]);
    expect(await one.nothing()).toEqual([frames.event('e', 'b', '1')]);
  });

  test('does not come to the one connection that is left out', async () => {
    const server = await startServer();
    const [out, other] = [await connect(server), await connect(server)];
    for (const client of [out, other]) {
      await client.join('a');
      await client.join('b');
    }
    await publishTo(server, ['a', 'b'], 'e', '1', { socket_id: out.socketId });
    await publish(server, 'a', 'marker', '');
    expect(await out.next()).toBe(frames.event('marker', 'a', ''));
    expect(await other.next()).toBe(frames.event('e', 'a', '1'));
    expect(await other.next()).toBe(frames.event('e', 'b', '1'));
  });

  test('leaves out each connection that an item of a batch names', async () => {
    const server = await startServer();
    const [ann, bob] = [await connect(server), await connect(server)];
    for (const client of [ann, bob]) await client.join('news');
    const batch = [
      { channel: 'news', name: 'e', data: 'not ann', socket_id: ann.socketId },
      { channel: 'news', name: 'e', data: 'not bob', socket_id: bob.socketId },
      { channel: 'news', name: 'e', data: 'all' },
    ];
    await publishBatch(server, batch);
    expect(await ann.nothing()).toEqual(['not bob', 'all'].map((data) => frames.event('e', 'news', data)));
    expect(await bob.nothing()).toEqual(['not ann', 'all'].map((data) => frames.event('e', 'news', data)));
  });

  test('reaches all if the socket id is unknown', async () => {
    const server = await startServer();
    const client = await connect(server);
    await client.join('news');
    await publish(server, 'news', 'e', '1', { socket_id: '1.1' });
    expect(await client.next()).toBe(frames.event('e', 'news', '1'));
  });

  test('stays within its app', async () => {
    const server = await startServer();
    const [ours, theirs] = [await connect(server), await connect(server, OTHER_APP)];
    for (const client of [ours, theirs]) await client.join('private-news');
    await publish(server, 'private-news', 'e', 'theirs', {}, OTHER_APP);
    await publish(server, 'private-news', 'e', 'ours');
    expect(await ours.nothing()).toEqual([frames.event('e', 'private-news', 'ours')]);
    expect(await theirs.nothing()).toEqual([frames.event('e', 'private-news', 'theirs')]);
  });
});
