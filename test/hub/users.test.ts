import { Countersign } from '@countersign/sdk-server';
import type { Broker } from '@countersign/server';
import { describe, expect, test } from 'vitest';
import { publish, publishBatch, publishTo, request } from '../helpers/api.ts';
import { APP, OTHER_APP, startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { frames } from '../helpers/frames.ts';

describe("a user's channel", () => {
  const ANN = '#server-to-user-ann';
  const denied = frames.subscriptionError(
    ANN,
    'AuthError',
    'Only a connection signed in as this user may subscribe',
    401,
    'sign_in_required',
  );

  test('is refused to a connection without a sign-in, whatever proof it sends', async () => {
    const client = await connect(await startServer());
    client.subscribe(ANN);
    expect(await client.next()).toBe(denied);
    expect(await client.join(ANN)).toBe(denied);
    expect(await client.join(ANN, { user_id: 'ann' })).toBe(denied);
  });

  test.each(['bob', 'an', 'annn', 'Ann'])('is refused to %s', async (id) => {
    const client = await connect(await startServer());
    await client.signIn({ id });
    expect(await client.join(ANN)).toBe(denied);
  });

  test('delivers to all connections of the user in this app, and to no others', async () => {
    const server = await startServer();
    const tabs = [await connect(server), await connect(server)];
    const [bob, stranger] = [await connect(server), await connect(server, OTHER_APP)];
    for (const client of [...tabs, stranger]) {
      await client.signIn({ id: 'ann' });
      expect(await client.join(ANN)).toBe(frames.subscribed(ANN));
    }
    await bob.signIn({ id: 'bob' });
    await bob.join('#server-to-user-bob');
    await publish(server, ANN, 'e', '{"n":1}');
    for (const tab of tabs) expect(await tab.next()).toBe(frames.event('e', ANN, '{"n":1}'));
    for (const client of [bob, stranger]) expect(await client.nothing()).toEqual([]);
  });

  test('is published to alone, beside others, in a batch and by the SDK', async () => {
    const server = await startServer();
    const client = await connect(server);
    await client.signIn({ id: 'ann' });
    await client.join(ANN);
    await publishTo(server, ['news', ANN], 'e', '1');
    await publishBatch(server, [{ channel: ANN, name: 'e', data: '2' }]);
    const sdk = new Countersign({
      appId: APP.id,
      key: APP.key,
      secret: APP.secret,
      port: server.port,
      useTLS: false,
    });
    await sdk.sendToUser('ann', 'e', 3);
    for (const data of ['1', '2', '3']) expect(await client.next()).toBe(frames.event('e', ANN, data));
  });

  test('is not listed', async () => {
    const server = await startServer();
    const client = await connect(server);
    await client.signIn({ id: 'ann' });
    await client.join(ANN);
    await client.join('news');
    const { body } = await request(server, 'GET', '/channels');
    expect(body).toEqual({ channels: { news: {} } });
  });
});

describe('terminate_connections', () => {
  const terminated = { code: 4009, reason: 'Connection terminated by the application' };

  function terminate(server: Broker, id: string) {
    return request(server, 'POST', `/users/${id}/terminate_connections`, { body: '{}' });
  }

  test('closes all connections of the user in this app, and only those', async () => {
    const server = await startServer();
    const tabs = [await connect(server), await connect(server)];
    const [bob, stranger, member] = [
      await connect(server),
      await connect(server, OTHER_APP),
      await connect(server),
    ];
    for (const client of [...tabs, stranger]) await client.signIn({ id: 'ann' });
    await bob.signIn({ id: 'bob' });
    await member.join('presence-room', { user_id: 'ann' });
    expect(await terminate(server, 'ann')).toMatchObject({ status: 200, body: {} });
    for (const tab of tabs) expect(await tab.closed()).toEqual(terminated);
    for (const client of [bob, stranger, member]) expect(await client.nothing()).toEqual([]);
  });

  test('reaches a connection that was refused as another user in the meantime', async () => {
    const server = await startServer();
    const client = await connect(server);
    await client.signIn({ id: 'ann' });
    await client.signIn({ id: 'bob' });
    await terminate(server, 'bob');
    expect(await client.nothing()).toEqual([]);
    await terminate(server, 'ann');
    expect(await client.closed()).toEqual(terminated);
  });

  test('removes the user from presence channels', async () => {
    const server = await startServer();
    const [witness, client] = [await connect(server), await connect(server)];
    await client.signIn({ id: 'ann' });
    await client.join('presence-room');
    await witness.join('presence-room', { user_id: 'bob' });
    await terminate(server, 'ann');
    expect(await witness.next()).toBe(frames.memberRemoved('presence-room', 'ann'));
  });

  test('leaves the user free to reconnect', async () => {
    const server = await startServer();
    const client = await connect(server);
    await client.signIn({ id: 'ann' });
    await terminate(server, 'ann');
    await client.closed();
    const again = await connect(server);
    expect(await again.signIn({ id: 'ann' })).toBe(frames.signedIn('{"id":"ann"}'));
    expect(await again.nothing()).toEqual([]);
  });

  test('of a user who is offline succeeds', async () => {
    expect(await terminate(await startServer(), 'nobody')).toMatchObject({ status: 200, body: {} });
  });
});
