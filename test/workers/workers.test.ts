/** Two workers are one broker: what clients and backends see does not depend on who is where. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { ourBackend } from '../helpers/brokers/backend.ts';
import { type ReceivedEvent, startReceiver } from '../helpers/brokers/receiver.ts';
import { APP } from '../helpers/brokers/server.ts';
import { launchWorkers, type RunningGroup, startWorkers } from '../helpers/brokers/workers.ts';
import { connect, open } from '../helpers/clients/client.ts';
import { listen, listenToAll } from '../helpers/clients/event-inbox.ts';
import { join, signIn } from '../helpers/clients/official.ts';
import { newFolder } from '../helpers/folder.ts';
import { frames } from '../helpers/frames.ts';

let group: RunningGroup;
beforeAll(async () => {
  group = await launchWorkers();
});
afterAll(() => group.close());

describe('between pusher-js on two workers', () => {
  let backend: string;
  const pusherTo = (worker: number, user: string) => group.pusherTo(worker, { backend, user });
  beforeEach(async () => {
    backend = await ourBackend(group);
  });

  test('what is published reaches all, each once and in order', async () => {
    const clients = [await pusherTo(1, 'ann'), await pusherTo(2, 'bob'), await pusherTo(2, 'cid')];
    const inboxes = [];
    for (const client of clients) inboxes.push(listenToAll(await join(client, 'private-news')));
    const names = Array.from({ length: 50 }, (_, n) => `event-${n}`);
    for (const name of names) await publish(group, 'private-news', name, '{}');
    await publish(group, 'private-news', 'end', '{}');
    for (const inbox of inboxes) {
      const received = await inbox.until(([name]) => name === 'end');
      expect(received.map(([name]) => name)).toEqual([...names, 'end']);
    }
  });

  test('the excluded one is left out, wherever the request comes in', async () => {
    const [ann, bob] = [await pusherTo(1, 'ann'), await pusherTo(2, 'bob')];
    const [anns, bobs] = [listenToAll(await join(ann, 'news')), listenToAll(await join(bob, 'news'))];
    for (let n = 0; n < 4; n += 1)
      await publish(group, 'news', 'not for ann', '{}', { socket_id: ann.connection.socket_id });
    await publish(group, 'news', 'end', '{}');
    expect(await anns.next()).toEqual(['end', {}]);
    expect(await bobs.until(([name]) => name === 'end')).toHaveLength(5);
  });

  test('presence is one list', async () => {
    const ann = await join(await pusherTo(1, 'ann'), 'presence-room');
    const changes = listenToAll(ann);
    const bobs = await pusherTo(2, 'bob');
    const bob = await join(bobs, 'presence-room');
    expect(Object.keys(bob.members.members).sort()).toEqual(['ann', 'bob']);
    const bobAgain = await pusherTo(1, 'bob');
    await join(bobAgain, 'presence-room');
    expect((await request(group, 'GET', '/channels/presence-room/users')).body).toEqual({
      users: [{ id: 'ann' }, { id: 'bob' }],
    });
    bobs.disconnect();
    bobAgain.disconnect();
    expect((await changes.next())[0]).toBe('pusher:member_added');
    expect(await changes.next()).toMatchObject(['pusher:member_removed', { id: 'bob' }]);
    await publish(group, 'presence-room', 'marker', '{}');
    expect((await changes.next())[0]).toBe('marker');
  });

  test('client events and events for a user cross over', async () => {
    const [ann, bob] = [await pusherTo(1, 'ann'), await pusherTo(2, 'bob')];
    await join(ann, 'private-room');
    const events = listenToAll(await join(bob, 'private-room'));
    ann.channel('private-room')?.trigger('client-wave', { hand: 'left' });
    expect(await events.next()).toEqual(['client-wave', { hand: 'left' }]);

    await signIn(bob);
    const forBob = listen(bob.user, 'hello');
    for (let n = 0; n < 2; n += 1) await publish(group, '#server-to-user-bob', 'hello', `{"n":${n}}`);
    expect([await forBob.next(), await forBob.next()]).toEqual([{ n: 0 }, { n: 1 }]);
  });

  test('a user is sent away from all workers', async () => {
    const clients = [await pusherTo(1, 'ann'), await pusherTo(2, 'ann')];
    const closed = clients.map(({ connection }) => listen(connection, 'disconnected'));
    for (const client of clients) await signIn(client);
    await request(group, 'POST', '/users/ann/terminate_connections', { body: {} });
    await Promise.all(closed.map((inbox) => inbox.next()));
  });
});

describe('between raw clients on two workers', () => {
  test('a subscription is ended from any worker', async () => {
    const clients = [await group.connectTo(1), await group.connectTo(2)];
    for (const [n, client] of clients.entries())
      await client.join('presence-stage', { user_id: `user-${n}` });
    await clients[0]!.next();
    for (const n of [0, 1]) {
      const body = { user_id: `user-${n}`, reason: 'enough' };
      const answer = await request(group, 'POST', '/channels/presence-stage/subscriptions/remove', { body });
      expect(answer).toMatchObject({ status: 200 });
      await clients[n]!.until((frame) => String(frame).includes('subscription_error'));
    }
    expect((await request(group, 'GET', '/channels/presence-stage/users')).body).toEqual({ users: [] });
  });

  test('a cache channel has its last event on all workers', async () => {
    await publish(group, 'cache-weather', 'forecast', 'sun');
    for (const worker of [1, 2]) {
      const client = await group.connectTo(worker);
      expect(await client.join('cache-weather')).toBe(frames.subscribed('cache-weather'));
      expect(await client.next()).toBe(frames.event('forecast', 'cache-weather', 'sun'));
    }
  });

  test('subscribers are counted together', async () => {
    const group = await startWorkers({ app: { subscriptionCount: true } });
    const [ann, bob] = [await group.connectTo(1), await group.connectTo(2)];
    await ann.join('news');
    await ann.next();
    await bob.join('news');
    expect(await ann.next()).toBe(frames.count('news', 2));
  });

  test('the quota of connections is one', async () => {
    const group = await startWorkers({ app: { limits: { connections: 2 } } });
    const first = await connect(group);
    await connect(group);
    for (let n = 0; n < 3; n += 1) expect(await open(group).closed()).toMatchObject({ code: 4004 });
    first.socket.close();
    await first.closed();
    // The place is given back by the worker that had it, and taken at whichever comes next.
    const isIn = async () => String(await open(group).next()).includes('connection_established');
    while (!(await isIn()));
  });

  test('rate limits of the HTTP API are one', async () => {
    const group = await startWorkers({ app: { limits: { httpRequestsPerSecond: 2 } } });
    const answers = await Promise.all(Array.from({ length: 8 }, () => request(group, 'GET', '/channels')));
    expect(answers.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(4);
    expect(answers.some(({ status }) => status === 429)).toBe(true);
  });
});

describe('one node to the outside', () => {
  test('it is ready, whoever is asked', async () => {
    for (let n = 0; n < 4; n += 1)
      expect(await group.ready()).toEqual({ status: 200, body: { status: 'ready' } });
  });

  test('connections are spread evenly', async () => {
    const group = await startWorkers({ workers: 3 });
    const clients = [];
    for (let n = 0; n < 9; n += 1) clients.push(await connect(group));
    const workers = await Promise.all(clients.map(({ socketId }) => group.workerOf(socketId)));
    expect(workers.toSorted()).toEqual([1, 1, 1, 2, 2, 2, 3, 3, 3]);
  });

  test('the metrics are the sum of all workers, whoever is asked', async () => {
    const group = await startWorkers();
    const clients = [await group.connectTo(1), await group.connectTo(2)];
    for (const [n, client] of clients.entries()) {
      await client.join('news');
      await client.join('presence-room', { user_id: `user-${n}` });
    }
    await publish(group, 'news', 'headline', 'one');
    await Promise.all(clients.map((client) => client.until((frame) => String(frame).includes('headline'))));
    const app = `app="${APP.id}"`;
    for (let n = 0; n < 2; n += 1) {
      expect(await group.metrics()).toMatchObject({
        [`countersign_subscriptions{${app},kind="public"}`]: 2,
        [`countersign_channels{${app},kind="public"}`]: 1,
        [`countersign_channels{${app},kind="presence"}`]: 1,
        [`countersign_members{${app}}`]: 2,
        [`countersign_publishes_total{${app},code="200"}`]: 1,
        countersign_workers: 2,
        countersign_workers_ended_total: 0,
      });
    }
    const metrics = await group.metrics();
    // All processes are of one build.
    expect(Object.entries(metrics).filter(([name]) => name.startsWith('countersign_build_info'))).toEqual([
      [expect.any(String), 1],
    ]);
  });

  test('webhooks are sent once, and seen and mended from any worker', async () => {
    const receiver = await startReceiver();
    const hook = { id: 'all', url: receiver.url(), events: ['channel_occupied', 'channel_vacated'] };
    const group = await startWorkers({
      config: { data: newFolder(), webhookGraceSeconds: 0 },
      app: { webhooks: [hook] },
    });
    const [ann, bob] = [await group.connectTo(1), await group.connectTo(2)];
    await ann.join('news');
    await bob.join('news');
    ann.close();
    bob.close();
    const events: ReceivedEvent[] = [];
    while (events.length < 2) events.push(...(await receiver.next()).events);
    expect(events).toMatchObject([
      { name: 'channel_occupied', channel: 'news', seq: 1 },
      { name: 'channel_vacated', channel: 'news', seq: 2 },
    ]);
    for (let n = 0; n < 2; n += 1) {
      expect((await request(group, 'GET', '/webhooks')).body).toMatchObject({
        webhooks: [{ id: 'all', state: 'active' }],
      });
      expect((await request(group, 'GET', '/webhook_events')).body).toMatchObject({ last_seq: 2 });
    }
    await request(group, 'POST', '/webhooks/all/test', { body: {} });
    expect((await receiver.next()).events).toMatchObject([{ name: 'test' }]);
  });
});
