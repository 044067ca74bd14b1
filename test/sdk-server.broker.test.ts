import { Countersign, type CountersignOptions } from '@countersign/sdk-server';
import { expect, test } from 'vitest';
import { APP, type ServerSettings, startServer } from './helpers/server.ts';
import { MASTER_KEY } from './vectors.ts';

async function start(settings: ServerSettings = {}, options: Partial<CountersignOptions> = {}) {
  const { port } = await startServer(settings);
  return new Countersign({
    appId: APP.id,
    key: APP.key,
    secret: APP.secret,
    encryptionMasterKeyBase64: MASTER_KEY,
    port,
    ...options,
  });
}

test('the broker accepts what the SDK publishes', async () => {
  const client = await start();
  expect(await client.trigger(['a', 'presence-b'], 'grüße', 'Zoë 🚀', { socketId: '1.2' })).toEqual({});
  expect(await client.trigger('presence-b', 'e', {}, { info: 'user_count' })).toEqual({
    channels: { 'presence-b': { user_count: 0 } },
  });
  expect(await client.trigger('private-encrypted-a', 'e', { a: 1 })).toEqual({});
  expect(await client.sendToUser('ann@example.com', 'e', null)).toEqual({});
  const batch = [
    { channel: 'a', name: 'e', data: '' },
    { channel: 'private-encrypted-a', name: 'e', data: 'x' },
    { channel: 'presence-b', name: 'e', data: 1, info: 'user_count' },
  ];
  expect(await client.triggerBatch(batch)).toEqual({ batch: [{}, {}, { user_count: 0 }] });
});

test('the broker answers what the SDK asks', async () => {
  const client = await start();
  expect(await client.channels()).toEqual({ channels: {} });
  expect(await client.channels({ filterByPrefix: 'presence-', info: 'user_count' })).toEqual({
    channels: {},
  });
  expect(await client.channel('a@b=c,d;e.f', { info: ['subscription_count'] })).toMatchObject({
    occupied: false,
  });
  expect(await client.presenceMembers('presence-b')).toEqual({ users: [] });
});

test('any parameter that the SDK sends verifies', async () => {
  const client = await start();
  for (const value of ['a+b', 'a b', '100%', 'a%20b', 'ü🚀', 'a=b', "it's", '#', '?']) {
    const params = { value, 'na me': value, Upper: value };
    expect(await client.get({ path: '/channels', params })).toEqual({ channels: {} });
  }
});

test('the path of a proxy is signed and served', async () => {
  const client = await start({ config: { pathPrefix: '/realtime' } }, { path: '/realtime' });
  expect(await client.trigger('a', 'e', {})).toEqual({});
});

test('refusals of the broker arrive as errors', async () => {
  const client = await start({}, { secret: 'wrong' });
  await expect(client.trigger('a', 'e', {})).rejects.toThrow(expect.objectContaining({ status: 401 }));
  const generous = await start({}, { limits: { eventDataBytes: 20_000 } });
  const large = generous.trigger('a', 'e', 'x'.repeat(10_241));
  await expect(large).rejects.toThrow(expect.objectContaining({ status: 413 }));
});
