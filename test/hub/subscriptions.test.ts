import { MemoryAdapter } from '@countersign/server';
import { describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { DelayedAdapter } from '../helpers/brokers/delayed-adapter.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { frames } from '../helpers/frames.ts';

const ANN = { user_id: 'ann' };

describe('to subscribe', () => {
  test.each<[string, unknown]>([
    ['data is an object', { channel: 'news' }],
    ['data is the text of one', JSON.stringify({ channel: 'news' })],
    ['auth is empty', { auth: '', channel: 'news' }],
    ['auth is wrong where none is asked for', { auth: 7, channel: 'news', channel_data: 7 }],
    ['data holds more', { channel: 'news', colour: 'blue' }],
  ])('succeeds when %s', async (_, data) => {
    const server = await startServer();
    const client = await connect(server);
    client.send({ event: 'pusher:subscribe', data });
    expect(await client.next()).toBe(frames.subscribed('news'));
  });

  test('gives nothing of what was published before', async () => {
    const server = await startServer();
    const client = await connect(server);
    await publish(server, 'news', 'e', 'before');
    await client.join('news');
    await publish(server, 'news', 'e', 'after');
    expect(await client.next()).toBe(frames.event('e', 'news', 'after'));
  });

  test('is possible in so many channels, and again after leaving one', async () => {
    const server = await startServer({ limits: { subscriptionsPerConnection: 2 } });
    const client = await connect(server);
    const tooMany = 'This connection has 2 subscriptions already';
    expect(await client.join('a')).toBe(frames.subscribed('a'));
    expect(await client.join('b')).toBe(frames.subscribed('b'));
    expect(await client.join('c')).toBe(
      frames.subscriptionError('c', 'LimitReached', tooMany, 409, 'too_many_subscriptions'),
    );
    expect(await client.join('a')).toBe(frames.subscribed('a'));
    client.unsubscribe('a');
    expect(await client.join('c')).toBe(frames.subscribed('c'));
  });

  test('counts what is still under way', async () => {
    const adapter = new DelayedAdapter(new MemoryAdapter());
    const server = await startServer({ limits: { subscriptionsPerConnection: 2 }, parts: { adapter } });
    const client = await connect(server);
    for (const channel of ['a', 'b', 'c']) client.subscribe(channel);
    const answers = [await client.next(), await client.next(), await client.next()];
    expect(answers.sort()).toEqual([
      frames.subscriptionError(
        'c',
        'LimitReached',
        'This connection has 2 subscriptions already',
        409,
        'too_many_subscriptions',
      ),
      frames.subscribed('a'),
      frames.subscribed('b'),
    ]);
  });
});

describe('to subscribe again', () => {
  test('is acknowledged again, and events still come once', async () => {
    const server = await startServer();
    const client = await connect(server);
    await client.join('news');
    expect(await client.join('news')).toBe(frames.subscribed('news'));
    await publish(server, 'news', 'e', '1');
    expect(await client.nothing()).toEqual([frames.event('e', 'news', '1')]);
  });

  test('sends the present members, and announces nothing to the others', async () => {
    const server = await startServer();
    const [ann, bob] = [await connect(server), await connect(server)];
    await ann.join('presence-room', ANN);
    await bob.join('presence-room', { user_id: 'bob' });
    expect(await ann.next()).toBe(frames.memberAdded('presence-room', 'bob'));
    expect(await ann.join('presence-room', ANN)).toBe(
      frames.presence('presence-room', [
        ['ann', null],
        ['bob', null],
      ]),
    );
    expect(await ann.nothing()).toEqual([]);
    expect(await bob.nothing()).toEqual([]);
  });

  test('keeps the member, and refuses another one', async () => {
    const server = await startServer();
    const [ann, bob] = [await connect(server), await connect(server)];
    await ann.join('presence-room', { user_id: 'ann', user_info: { name: 'Ann' } });
    const snapshot = frames.presence('presence-room', [['ann', { name: 'Ann' }]]);
    expect(await ann.join('presence-room', { user_id: 'ann', user_info: { name: 'Anna' } })).toBe(snapshot);
    expect(await ann.join('presence-room', { user_id: 'eve' })).toContain('grant_user_mismatch');
    await bob.join('presence-room', { user_id: 'bob' });
    ann.unsubscribe('presence-room');
    expect(await bob.next()).toBe(frames.memberRemoved('presence-room', 'ann'));
  });

  test('needs the signature again, and without it the subscription stays', async () => {
    const server = await startServer();
    const client = await connect(server);
    await client.join('private-a');
    client.subscribe('private-a', { auth: 'key-1:no' });
    expect(await client.nothing()).toMatchObject([expect.stringContaining('pusher:subscription_error')]);
    await publish(server, 'private-a', 'e', '1');
    expect(await client.next()).toBe(frames.event('e', 'private-a', '1'));
  });
});

describe('to unsubscribe', () => {
  test('is not answered, and ends the events of this channel', async () => {
    const server = await startServer();
    const client = await connect(server);
    await client.join('news');
    await client.join('sport');
    client.unsubscribe('news');
    expect(await client.nothing()).toEqual([]);
    await publish(server, 'news', 'e', '1');
    await publish(server, 'sport', 'e', '2');
    expect(await client.next()).toBe(frames.event('e', 'sport', '2'));
  });

  test.each(['never-subscribed', '', 'a b', '#server-to-user-7', '__proto__'])(
    'from %j, where nobody is, is ignored',
    async (channel) => {
      const server = await startServer();
      const client = await connect(server);
      client.unsubscribe(channel);
      expect(await client.nothing()).toEqual([]);
    },
  );

  test('and to subscribe follow each other as they were sent', async () => {
    const adapter = new DelayedAdapter(new MemoryAdapter());
    const server = await startServer({ parts: { adapter } });
    const [client, witness] = [await connect(server), await connect(server)];
    await witness.join('presence-room', ANN);
    const bob = frames.presence('presence-room', [
      ['ann', null],
      ['bob', null],
    ]);
    for (let turn = 0; turn < 3; turn += 1) {
      client.askFor('presence-room', { user_id: 'bob' });
      client.unsubscribe('presence-room');
    }
    for (let turn = 0; turn < 3; turn += 1) {
      expect(await client.next()).toBe(bob);
      expect(await witness.next()).toBe(frames.memberAdded('presence-room', 'bob'));
      expect(await witness.next()).toBe(frames.memberRemoved('presence-room', 'bob'));
    }
    await publish(server, 'presence-room', 'e', '1');
    expect(await witness.next()).toBe(frames.event('e', 'presence-room', '1'));
    expect(await client.nothing()).toEqual([]);
  });

  test('is what the end of a connection does in every channel', async () => {
    const server = await startServer();
    const [ann, bob] = [await connect(server), await connect(server)];
    for (const channel of ['presence-a', 'presence-b']) {
      await bob.join(channel, { user_id: 'bob' });
      await ann.join(channel, ANN);
      expect(await bob.next()).toBe(frames.memberAdded(channel, 'ann'));
    }
    await ann.join('news');
    ann.close();
    expect(await bob.next()).toBe(frames.memberRemoved('presence-a', 'ann'));
    expect(await bob.next()).toBe(frames.memberRemoved('presence-b', 'ann'));
    const { body } = await request(server, 'GET', '/channels');
    expect(body).toEqual({ channels: { 'presence-a': {}, 'presence-b': {} } });
  });
});
