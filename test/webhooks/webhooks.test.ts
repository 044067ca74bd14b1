import { createHash } from 'node:crypto';
import Pusher from 'pusher';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { type Posted, startReceiver, type WebhookReceiver } from '../helpers/brokers/receiver.ts';
import { APP, configOf, type ServerSettings, startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { newFolder } from '../helpers/folder.ts';
import { recordLog } from '../helpers/log.ts';

const EVERY_EVENT = [
  'channel_occupied',
  'channel_vacated',
  'member_added',
  'member_removed',
  'client_event',
  'cache_miss',
  'subscription_count',
  'user_online',
  'user_offline',
  'grant_expired',
];

/** A broker that tells a receiver everything, with no grace. */
async function start(hook: object = {}, { config, app, ...settings }: ServerSettings = {}) {
  const receiver = await startReceiver();
  const broker = await startServer({
    ...settings,
    config: { webhookGraceSeconds: 0, ...config },
    app: { webhooks: [{ url: receiver.url(), events: EVERY_EVENT, ...hook }], ...app },
  });
  return { broker, receiver };
}

const pusher = new Pusher({ appId: APP.id, key: APP.key, secret: APP.secret, host: '127.0.0.1' });

/** Checks a request as the official library and the public one of Standard Webhooks do. */
function verify(posted: Posted, { key, secret } = APP as { key: string; secret: string }): void {
  const library = new Pusher({ appId: APP.id, key, secret, host: '127.0.0.1' });
  const { headers, rawBody } = posted;
  expect(library.webhook({ headers, rawBody }).isValid()).toBe(true);
  new Webhook(secret, { format: 'raw' }).verify(rawBody, headers as Record<string, string>);
}

function names(posted: readonly Posted[]): string[] {
  return posted.flatMap(({ events }) => events.map(({ name }) => name));
}

async function events(receiver: WebhookReceiver, count: number) {
  const found = [];
  for (let n = 0; n < count; n += 1) {
    const posted = await receiver.next();
    verify(posted);
    found.push(...posted.events);
  }
  return found;
}

describe('what a receiver is told', () => {
  test('a channel comes and goes, and its members in between', async () => {
    const { broker, receiver } = await start();
    const before = Date.now();
    const ann = await connect(broker);
    await ann.join('presence-room', { user_id: 'ann' });
    const bob = await connect(broker);
    await bob.join('presence-room', { user_id: 'bob' });
    ann.close();
    expect(await events(receiver, 4)).toMatchObject([
      { name: 'channel_occupied', channel: 'presence-room', seq: 1, socket_id: ann.socketId },
      { name: 'member_added', channel: 'presence-room', user_id: 'ann', seq: 2, socket_id: ann.socketId },
      { name: 'member_added', channel: 'presence-room', user_id: 'bob', seq: 3, socket_id: bob.socketId },
      {
        name: 'member_removed',
        channel: 'presence-room',
        user_id: 'ann',
        seq: 4,
        socket_id: ann.socketId,
        reason: 'disconnected',
      },
    ]);
    bob.unsubscribe('presence-room');
    const last = await events(receiver, 2);
    expect(last).toMatchObject([
      { name: 'member_removed', user_id: 'bob', seq: 5, reason: 'unsubscribed' },
      { name: 'channel_vacated', channel: 'presence-room', seq: 6, reason: 'unsubscribed' },
    ]);
    expect(new Set(receiver.posted.map(({ events: [event] }) => event?.id)).size).toBe(6);
    for (const { at } of last) expect(at).toBeGreaterThanOrEqual(before);
  });

  test('a client event as it was delivered', async () => {
    const { broker, receiver } = await start({ events: ['client_event'] });
    const ann = await connect(broker);
    await ann.join('presence-room', { user_id: 'ann' });
    await ann.join('private-notes');
    ann.trigger('presence-room', 'client-typing', '{"on":true}');
    ann.trigger('private-notes', 'client-typing', '"Ω 🚀"');
    const [present, plain] = await events(receiver, 2);
    expect(present).toMatchObject({
      name: 'client_event',
      channel: 'presence-room',
      event: 'client-typing',
      data: '{"on":true}',
      user_id: 'ann',
      socket_id: ann.socketId,
    });
    expect(plain).toMatchObject({ channel: 'private-notes', data: '"Ω 🚀"' });
    expect(plain).not.toHaveProperty('user_id');
  });

  test('an empty cache, and how many subscribe', async () => {
    const { broker, receiver } = await start(
      { events: ['cache_miss', 'subscription_count'] },
      { app: { subscriptionCount: true } },
    );
    const ann = await connect(broker);
    await ann.join('cache-news');
    const told = await events(receiver, 2);
    expect(told.toSorted((a, b) => a.name.localeCompare(b.name))).toMatchObject([
      { name: 'cache_miss', channel: 'cache-news' },
      { name: 'subscription_count', channel: 'cache-news', subscription_count: 1 },
    ]);
  });

  test('a user is online from his first connection to his last', async () => {
    const { broker, receiver } = await start({ events: ['user_online', 'user_offline'] });
    const [phone, laptop] = [await connect(broker), await connect(broker)];
    await phone.signIn({ id: 'ann' });
    await laptop.signIn({ id: 'ann' });
    phone.close();
    const user = async () => (await request(broker, 'GET', '/users/ann')).body;
    await expect.poll(user).toMatchObject({ connections: [{ socket_id: laptop.socketId }] });
    laptop.close();
    expect(await events(receiver, 2)).toMatchObject([
      { name: 'user_online', user_id: 'ann', seq: 1, socket_id: phone.socketId },
      { name: 'user_offline', user_id: 'ann', seq: 2, socket_id: laptop.socketId, reason: 'disconnected' },
    ]);
    for (const { events } of receiver.posted) expect(events[0]?.channel).toBe('#server-to-user-ann');
  });

  test('each event has a channel, and nothing but texts beside the count', async () => {
    const { broker, receiver } = await start(
      { id: 'backend' },
      { app: { subscriptionCount: true }, config: { webhookGraceSeconds: 0 } },
    );
    const ann = await connect(broker);
    await ann.signIn({ id: 'ann' });
    await ann.join('presence-cache-room', { user_id: 'ann' });
    ann.trigger('presence-cache-room', 'client-typing', '{"on":true}');
    await ann.join('news');
    const exp = Math.ceil(Date.now() / 1000) + 1;
    await ann.join('private-a', { countersign: { exp } });
    await ann.until((received) => typeof received === 'string' && received.includes('grant_expired'));
    ann.close();
    await request(broker, 'POST', '/webhooks/backend/test');
    const told = await receiver.until(({ events: [event] }) => event?.name === 'test');
    await expect.poll(() => new Set(names(receiver.posted)).size).toBe(EVERY_EVENT.length + 1);
    expect(told.length).toBeGreaterThan(0);
    for (const { rawBody } of receiver.posted) {
      for (const { subscription_count = 0, ...event } of JSON.parse(rawBody).events) {
        expect(Object.values(event).map((value) => typeof value)).toEqual(
          Object.values(event).map(() => 'string'),
        );
        expect(subscription_count).toEqual(expect.any(Number));
        expect([event.at, event.seq]).toEqual([
          expect.stringMatching(/^\d{13}$/),
          expect.stringMatching(/^\d+$/),
        ]);
      }
    }
    const channelOf = (name: string) =>
      receiver.posted.flatMap(({ events }) => events).find((event) => event.name === name)?.channel;
    expect(['test', 'user_online', 'user_offline'].map(channelOf)).toEqual([
      '',
      '#server-to-user-ann',
      '#server-to-user-ann',
    ]);
  });

  test('each hook is told what it wants, of the channels that it wants', async () => {
    const other = await startReceiver();
    const receiver = await startReceiver();
    const broker = await startServer({
      config: { webhookGraceSeconds: 0 },
      app: {
        webhooks: [
          { url: receiver.url('/a'), events: ['channel_occupied'], channelPrefix: 'news-' },
          { url: other.url('/b'), events: ['channel_vacated'] },
        ],
      },
    });
    const ann = await connect(broker);
    await ann.join('news-a');
    await ann.join('other');
    ann.close();
    expect(await receiver.nextEvent()).toMatchObject({ name: 'channel_occupied', channel: 'news-a', seq: 1 });
    const vacated = [await other.nextEvent(), await other.nextEvent()];
    expect(vacated.map(({ seq }) => seq)).toEqual([2, 3]);
    expect(vacated.map(({ channel }) => channel).sort()).toEqual(['news-a', 'other']);
    expect(receiver.posted).toHaveLength(1);
  });

  test('without a hook, nothing is told and nothing waits', async () => {
    const { broker, receiver } = await start({ channelPrefix: 'news-' });
    const ann = await connect(broker);
    await ann.join('other');
    await ann.join('news-a');
    expect(await receiver.nextEvent()).toMatchObject({ channel: 'news-a', seq: 1 });
  });
});

describe('a request', () => {
  test('has the headers that receivers know, and those of the configuration', async () => {
    const { broker, receiver } = await start({ headers: { 'X-Stage': 'test' } });
    await (await connect(broker)).join('news');
    const posted = await receiver.next();
    verify(posted);
    const [event] = posted.events;
    expect(posted.rawBody).toMatch(
      /^\{"time_ms":\d{13},"events":\[\{"name":"channel_occupied","channel":"news",/,
    );
    expect(posted.headers).toMatchObject({
      'content-type': 'application/json',
      'x-pusher-key': APP.key,
      'x-stage': 'test',
      'user-agent': expect.stringMatching(/^Countersign\/\d/),
      'webhook-id': expect.stringMatching(/^msg_\w+$/),
      'webhook-timestamp': String(Math.floor(JSON.parse(posted.rawBody).time_ms / 1000)),
    });
    expect(event).toMatchObject({ epoch: expect.any(String) });
  });

  test('is signed with the oldest key, and for Standard Webhooks with each', async () => {
    const keys = [
      { key: 'key-1', secret: APP.secret },
      { key: 'key-2', secret: 'another-secret' },
    ];
    const { broker, receiver } = await start({}, { app: { keys } });
    await (await connect(broker)).join('news');
    const posted = await receiver.next();
    verify(posted);
    const { headers, rawBody } = posted;
    expect(pusher.webhook({ headers, rawBody: `${rawBody} ` }).isValid()).toBe(false);
    expect(headers['webhook-signature']).toMatch(/^v1,\S+ v1,\S+$/);
    for (const { secret } of keys) {
      new Webhook(secret, { format: 'raw' }).verify(rawBody, headers as Record<string, string>);
    }
  });

  test('carries several events of one channel where the hook wants that', async () => {
    const { broker, receiver } = await start({ events: ['client_event'], maxEvents: 3, maxDelayMs: 60_000 });
    const ann = await connect(broker);
    await ann.join('private-a');
    await ann.join('private-b');
    for (const [channel, data] of [
      ['private-a', '1'],
      ['private-b', '1'],
      ['private-a', '2'],
      ['private-a', '3'],
    ]) {
      ann.trigger(channel!, 'client-x', data);
    }
    const posted = await receiver.next();
    verify(posted);
    expect(posted.events).toMatchObject(['1', '2', '3'].map((data) => ({ channel: 'private-a', data })));
  });
});

describe('the grace', () => {
  test('a page that is loaded again makes no webhook', async () => {
    const { broker, receiver } = await start({}, { config: { webhookGraceSeconds: 1 } });
    const first = await connect(broker);
    await first.signIn({ id: 'ann' });
    await first.join('presence-room', { user_id: 'ann' });
    expect(await events(receiver, 3)).toHaveLength(3);
    first.close();
    const second = await connect(broker);
    await second.signIn({ id: 'ann' });
    await second.join('presence-room', { user_id: 'ann' });
    // What follows the reload is told alone: whatever the reload had caused would have come before.
    const witness = await connect(broker);
    await witness.join('presence-room', { user_id: 'bob' });
    witness.close();
    second.close();
    // Bob and Ann leave on two sockets, of which either may be closed first.
    const told = (await events(receiver, 5)).map(({ name, user_id }) => [name, user_id]);
    expect([told.at(0), told.at(-1)]).toEqual([
      ['member_added', 'bob'],
      ['channel_vacated', undefined],
    ]);
    expect(told.slice(1, -1).toSorted()).toEqual([
      ['member_removed', 'ann'],
      ['member_removed', 'bob'],
      ['user_offline', 'ann'],
    ]);
  });

  test('200 clients that drop without a close frame are each reported once', async () => {
    const { broker, receiver } = await start(
      { events: ['member_removed'], maxEvents: 100 },
      { config: { webhookGraceSeconds: 1 }, limits: { presenceMembers: 500 } },
    );
    const clients = await Promise.all(Array.from({ length: 200 }, () => connect(broker)));
    await Promise.all(clients.map((client, n) => client.join('presence-room', { user_id: `user-${n}` })));
    for (const client of clients) client.socket.terminate();
    const removed: string[] = [];
    while (removed.length < 200) {
      const posted = await receiver.next();
      verify(posted);
      removed.push(...posted.events.map(({ user_id }) => String(user_id)));
    }
    expect(new Set(removed)).toEqual(new Set(clients.map((_, n) => `user-${n}`)));
    expect(removed).toHaveLength(200);
  });
});

describe('where they are kept', () => {
  test('the log says once what memory means', async () => {
    const { log, lines } = recordLog();
    await start({}, { parts: { log } });
    expect(lines.filter(({ msg }) => msg.startsWith('webhooks are kept in memory'))).toHaveLength(1);
    const { log: quiet, lines: none } = recordLog();
    await start({}, { parts: { log: quiet }, config: { data: newFolder() } });
    await startServer({ parts: { log: quiet } });
    expect(none.filter(({ msg }) => msg.startsWith('webhooks are kept in memory'))).toEqual([]);
  });

  test('an event is on the disk before others see its effect', async () => {
    let written = 0;
    let seen = -1;
    const { broker } = await start(
      { events: ['member_added'] },
      {
        config: { data: newFolder() },
        parts: {
          onWebhookStep: (step) => {
            if (step === 'afterWrite') written += 1;
          },
        },
      },
    );
    const ann = await connect(broker);
    await ann.join('presence-room', { user_id: 'ann' });
    written = 0;
    ann.socket.on('message', () => {
      if (seen < 0) seen = written;
    });
    const bob = await connect(broker);
    bob.askFor('presence-room', { user_id: 'bob' });
    expect(await ann.nextMessage()).toMatchObject({ event: 'pusher_internal:member_added' });
    expect(seen).toBeGreaterThan(0);
  });
});

describe('the configuration', () => {
  test('a hook without an id is named after its URL', async () => {
    const { broker, receiver } = await start();
    const id = createHash('sha256').update(receiver.url()).digest('hex').slice(0, 8);
    expect((await request(broker, 'GET', '/webhooks')).body).toMatchObject({
      webhooks: [{ id, state: 'active' }],
    });
  });

  test('a reload brings hooks, and takes them away', async () => {
    const { broker, receiver } = await start();
    const other = await startReceiver();
    broker.reload(configOf({ app: { webhooks: [{ url: other.url(), events: EVERY_EVENT }] } }).apps);
    await (await connect(broker)).join('news');
    expect(await other.nextEvent()).toMatchObject({ name: 'channel_occupied', channel: 'news' });
    await publish(broker, 'news', 'e', '1');
    expect(receiver.posted).toEqual([]);
  });
});
