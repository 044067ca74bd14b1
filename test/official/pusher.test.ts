/** What works between the unmodified server library `pusher` and the broker. */
import PusherServer from 'pusher';
import { describe, expect, test } from 'vitest';
import { pusherFor } from '../helpers/brokers/backend.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { webhookVectors } from '../packages/vectors.ts';

async function start(settings?: Parameters<typeof startServer>[0]) {
  const server = await startServer(settings);
  return { server, pusher: pusherFor(server), client: await connect(server) };
}

const ask = async (pusher: PusherServer, path: string, params: Record<string, string> = {}) => {
  const response = await pusher.get({ path, params });
  expect(response.status).toBe(200);
  return response.json();
};

describe('trigger', () => {
  test.each([
    ['an object', { text: 'hello 漢字 🚀' }, '{\\"text\\":\\"hello 漢字 🚀\\"}'],
    ['a string, as it is', 'hello', 'hello'],
    ['an empty string', '', ''],
    ['null', null, 'null'],
  ])('publishes %s', async (_name, data, text) => {
    const { pusher, client } = await start();
    await client.join('news');
    const response = await pusher.trigger('news', 'greeting', data);
    expect([response.status, await response.text()]).toEqual([200, '{}']);
    expect(await client.next()).toBe(`{"event":"greeting","channel":"news","data":"${text}"}`);
  });

  test('publishes to several channels', async () => {
    const { pusher, client } = await start();
    await client.join('news');
    await client.join('sports');
    await pusher.trigger(['news', 'sports'], 'greeting', 1);
    expect(await client.next()).toBe('{"event":"greeting","channel":"news","data":"1"}');
    expect(await client.next()).toBe('{"event":"greeting","channel":"sports","data":"1"}');
  });

  test('leaves out the socket that it names', async () => {
    const { pusher, client } = await start();
    await client.join('news');
    await pusher.trigger('news', 'unseen', 1, { socket_id: client.socketId });
    await pusher.trigger('news', 'seen', 1);
    expect(await client.next()).toBe('{"event":"seen","channel":"news","data":"1"}');
  });

  test('is told the attributes that it asks for', async () => {
    const { pusher, client } = await start();
    await client.join('presence-lobby', { user_id: 'ann' });
    const response = await pusher.trigger(['presence-lobby', 'news'], 'e', 1, {
      info: 'user_count,subscription_count',
    });
    expect(await response.json()).toEqual({
      channels: {
        'presence-lobby': { user_count: 1, subscription_count: 1 },
        news: { subscription_count: 0 },
      },
    });
  });

  test('carries names with backslashes', async () => {
    const { pusher, client } = await start();
    await client.join('news');
    await pusher.trigger('news', 'App\\Events\\OrderShipped', 1);
    expect(await client.nextMessage()).toMatchObject({ event: 'App\\Events\\OrderShipped' });
  });

  test('seals what it publishes on an encrypted channel', async () => {
    const { pusher, client } = await start();
    await client.join('private-encrypted-room');
    await pusher.trigger('private-encrypted-room', 'secret', 'nobody may read this');
    const { data } = await client.nextMessage();
    expect(Object.keys(JSON.parse(String(data)))).toEqual(['nonce', 'ciphertext']);
    expect(data).not.toContain('nobody');
  });

  test.each([
    ['data over 10 KiB', 413, ['news', 'e', 'x'.repeat(10_241)]],
    ['no data', 400, ['news', 'e', undefined]],
    ['a name of the protocol', 400, ['news', 'pusher:error', {}]],
  ] as const)(
    'rejects with the status where the broker refuses %s',
    async (_name, status, [channel, event, data]) => {
      const { pusher } = await start();
      await expect(pusher.trigger(channel, event, data)).rejects.toMatchObject({
        name: 'PusherRequestError',
        status,
        body: expect.stringContaining(`"status":${status}`),
      });
    },
  );

  test('rejects with 401 where the secret is wrong', async () => {
    const { server } = await start();
    const pusher = pusherFor(server, { secret: 'another' });
    await expect(pusher.trigger('news', 'e', {})).rejects.toMatchObject({ status: 401 });
  });
});

test('triggerBatch publishes in order, each event with its own exclusion and attributes', async () => {
  const { pusher, client } = await start();
  await client.join('news');
  const response = await pusher.triggerBatch([
    { channel: 'news', name: 'first', data: { n: 1 } },
    { channel: 'news', name: 'unseen', data: 'x', socket_id: client.socketId },
    { channel: 'news', name: 'last', data: 'y', info: 'subscription_count' },
  ]);
  expect(await response.json()).toEqual({ batch: [{}, {}, { subscription_count: 1 }] });
  expect(await client.next()).toBe('{"event":"first","channel":"news","data":"{\\"n\\":1}"}');
  expect(await client.next()).toBe('{"event":"last","channel":"news","data":"y"}');
});

describe('get', () => {
  test('lists the occupied channels', async () => {
    const { pusher, client } = await start();
    expect(await ask(pusher, '/channels')).toEqual({ channels: {} });
    await client.join('news');
    await client.join('presence-lobby', { user_id: 'ann' });
    expect(await ask(pusher, '/channels')).toEqual({ channels: { news: {}, 'presence-lobby': {} } });
    const presence = await ask(pusher, '/channels', { filter_by_prefix: 'presence-', info: 'user_count' });
    expect(presence).toEqual({ channels: { 'presence-lobby': { user_count: 1 } } });
  });

  test('tells the state of a channel', async () => {
    const { pusher, client } = await start();
    await client.join('news');
    expect(await ask(pusher, '/channels/news', { info: 'subscription_count' })).toEqual({
      occupied: true,
      subscription_count: 1,
    });
    expect(await ask(pusher, '/channels/empty')).toEqual({ occupied: false });
  });

  test('tells what a cache channel remembers', async () => {
    const { pusher, client } = await start();
    await client.join('cache-news');
    await pusher.trigger('cache-news', 'headline', { n: 1 });
    expect(await ask(pusher, '/channels/cache-news', { info: 'cache' })).toEqual({
      occupied: true,
      cache: { data: '{"n":1}', ttl: expect.any(Number) },
    });
  });

  test('tells who is in a presence channel', async () => {
    const { server, pusher, client } = await start();
    await client.join('presence-lobby', { user_id: 'ann' });
    await (await connect(server)).join('presence-lobby', { user_id: 'bob' });
    expect(await ask(pusher, '/channels/presence-lobby/users')).toEqual({
      users: [{ id: 'ann' }, { id: 'bob' }],
    });
  });
});

test('sendToUser reaches the connections of the user', async () => {
  const { pusher, client } = await start();
  await client.signIn({ id: 'ann' });
  await client.join('#server-to-user-ann');
  await pusher.sendToUser('ann', 'hint', { n: 1 });
  expect(await client.next()).toBe('{"event":"hint","channel":"#server-to-user-ann","data":"{\\"n\\":1}"}');
});

test('terminateUserConnections closes the connections of the user, and no others', async () => {
  const { server, pusher, client } = await start();
  const other = await connect(server);
  await client.signIn({ id: 'ann' });
  await other.join('presence-lobby', { user_id: 'ann' });
  await pusher.terminateUserConnections('ann');
  expect(await client.closed()).toMatchObject({ code: 4009 });
  expect(await other.nothing()).toEqual([]);
});

describe('its grants are accepted', () => {
  test('for a presence channel', async () => {
    const { pusher, client } = await start();
    const member = { user_id: 'zoë-7', user_info: { name: 'Zoë Ω 漢字 🚀' } };
    client.subscribe('presence-lobby', pusher.authorizeChannel(client.socketId, 'presence-lobby', member));
    expect(await client.nextMessage()).toMatchObject({ event: 'pusher_internal:subscription_succeeded' });
  });

  test('for a user', async () => {
    const { pusher, client } = await start();
    const data = pusher.authenticateUser(client.socketId, { id: 'ann', user_info: { name: 'Zoë' } });
    client.send({ event: 'pusher:signin', data });
    expect(await client.nextMessage()).toMatchObject({ event: 'pusher:signin_success' });
  });
});

describe('its check of a webhook', () => {
  const read = (vector: (typeof webhookVectors)[number], headers: object = {}, body = vector.body) =>
    new PusherServer({ appId: APP.id, key: vector.key, secret: vector.secret, host: '127.0.0.1' }).webhook({
      headers: {
        'content-type': 'application/json',
        'x-pusher-key': vector.key,
        'x-pusher-signature': vector.signature,
        ...headers,
      },
      rawBody: body,
    });

  test.each(webhookVectors.map((vector) => [vector.id, vector] as const))('passes %s', (_id, vector) => {
    const webhook = read(vector);
    expect(webhook.isValid()).toBe(true);
    expect(webhook.getEvents()).toEqual(JSON.parse(vector.body).events);
  });

  test('fails where anything was changed', () => {
    const vector = webhookVectors[1]!;
    expect(read(vector, {}, vector.body.replace('member_added', 'member_removed')).isValid()).toBe(false);
    expect(read(vector, { 'x-pusher-signature': '0'.repeat(64) }).isValid()).toBe(false);
    expect(read(vector, { 'x-pusher-key': 'another' }).isValid()).toBe(false);
  });
});
