import { Countersign, type CountersignOptions } from '@countersign/sdk-server';
import { describe, expect, test } from 'vitest';
import { APP, type ServerSettings, startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { MASTER_KEY } from '../packages/vectors.ts';

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

test('the broker responds to every call of the SDK', async () => {
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

describe('connected users', () => {
  async function startWithUsers() {
    const broker = await startServer();
    const client = new Countersign({ appId: APP.id, key: APP.key, secret: APP.secret, port: broker.port });
    const signIn = async (id: string) => {
      const device = await connect(broker);
      await device.signIn({ id });
      return device;
    };
    return { client, signIn };
  }

  test('users are listed a page at a time, and one with their connections', async () => {
    const { client, signIn } = await startWithUsers();
    const phone = await signIn('ann');
    await phone.join('private-a');
    await signIn('ann');
    await signIn('bob');
    expect(await client.users()).toEqual({ users: [{ id: 'ann' }, { id: 'bob' }] });
    const { users, cursor } = await client.users({ limit: 1 });
    expect(users).toEqual([{ id: 'ann' }]);
    expect(await client.users({ limit: 1, cursor: cursor! })).toEqual({ users: [{ id: 'bob' }] });

    const { id, connections } = await client.user('ann');
    expect(id).toBe('ann');
    expect(connections).toHaveLength(2);
    expect(connections.find(({ socket_id }) => socket_id === phone.socketId)).toEqual({
      socket_id: phone.socketId,
      age_seconds: expect.any(Number),
      client: expect.stringContaining('test'),
      address: '127.0.0.1',
      channels: ['private-a'],
    });
    expect(await client.user('nobody')).toEqual({ id: 'nobody', connections: [] });
  });

  test('terminates all connections of a user with the reason, and blocks the user', async () => {
    const { client, signIn } = await startWithUsers();
    const devices = [await signIn('ann'), await signIn('ann')];
    await client.terminateUserConnections('ann', { reason: 'Signed out', block: 60 });
    for (const device of devices) expect(await device.closed()).toEqual({ code: 4009, reason: 'Signed out' });
    const back = await signIn('ann');
    expect((await client.user('ann')).connections).toEqual([]);
    expect(await back.nothing()).toEqual([]);
  });

  test('what was granted is taken back, listed, lifted, and it is told who can read what', async () => {
    const { client, signIn } = await startWithUsers();
    const phone = await signIn('ann');
    await phone.join('presence-a', { user_id: 'ann' });
    expect(await client.access({ channel: 'presence-a' })).toMatchObject({
      subscriptions: [{ socket_id: phone.socketId, user_id: 'ann', channel: 'presence-a' }],
    });
    const answer = await client.revoke({
      target: { userId: 'ann', channelPrefix: 'presence-' },
      reason: 'Too loud',
      blockSeconds: 60,
    });
    expect(answer).toMatchObject({ ended: { subscriptions: 1 }, nodes: { acknowledged: 1, total: 1 } });
    expect(await phone.nextMessage()).toMatchObject({ event: 'pusher:subscription_error' });
    expect(await client.access({ userId: 'ann' })).toEqual({ subscriptions: [] });
    expect((await client.listRevocations({ limit: 1 })).revocations).toMatchObject([
      { id: answer.id, reason: 'Too loud', blocked_until: expect.any(Number) },
    ]);
    await client.liftBlock(answer.id);
    const laptop = await signIn('ann');
    expect(await laptop.join('presence-a', { user_id: 'ann' })).toContain('subscription_succeeded');
    await expect(client.liftBlock('rev-1')).rejects.toThrow('rev-1');
    await expect(client.access({})).rejects.toThrow('userId');
  });

  test('subscriptions end, of a user or of one connection', async () => {
    const { client, signIn } = await startWithUsers();
    const devices = [await signIn('ann'), await signIn('ann')];
    for (const device of devices) await device.join('presence-a', { user_id: 'ann' });
    const [phone, laptop] = devices;
    expect(
      await client.removeSubscription('presence-a', { socketId: phone!.socketId, reason: 'Too loud' }),
    ).toBe(1);
    expect(await phone!.nextMessage()).toMatchObject({
      event: 'pusher:subscription_error',
      channel: 'presence-a',
    });
    expect(await client.removeSubscription('presence-a', { userId: 'ann', block: 60 })).toBe(1);
    expect(await laptop!.nextMessage()).toMatchObject({ event: 'pusher:subscription_error' });
    expect(await client.removeSubscription('presence-a', { userId: 'ann' })).toBe(0);
  });

  test.each<[what: string, who: unknown, code: string]>([
    ['nobody', {}, 'invalid_user'],
    ['two', { userId: 'ann', socketId: '1.2' }, 'invalid_request'],
    ['a bad socket id', { socketId: '1' }, 'invalid_socket_id'],
    ['a blocked connection', { socketId: '1.2', block: 1 }, 'invalid_request'],
    ['an empty reason', { userId: 'ann', reason: '' }, 'invalid_request'],
    ['a block of no time', { userId: 'ann', block: 0 }, 'invalid_request'],
    ['a block that never ends', { userId: 'ann', block: Number.POSITIVE_INFINITY }, 'invalid_request'],
    ['a misspelled field', { user_id: 'ann' }, 'invalid_request'],
    ['no object', 'ann', 'invalid_request'],
  ])('removing %s is refused before it is sent', async (_, who, code) => {
    const nowhere = new Countersign({ appId: APP.id, key: APP.key, secret: APP.secret, port: 1 });
    await expect(nowhere.removeSubscription('presence-a', who as { userId: string })).rejects.toThrow(
      expect.objectContaining({ code }),
    );
  });
});
