/** Which versions of the official libraries work with the broker: each in one conversation with a real one. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type PusherServer from 'pusher';
import { describe, expect, test } from 'vitest';
import { officialBackend, pusherFor } from '../helpers/brokers/backend.ts';
import { startReceiver } from '../helpers/brokers/receiver.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { listen } from '../helpers/clients/event-inbox.ts';
import { openPusherOf, type PusherClass } from '../helpers/clients/official.ts';

const require = createRequire(import.meta.url);

/** The folder of each version in `node_modules`, and what to load from it. */
const CLIENTS = {
  'pusher-js-3': 'pusher-js-3/node.js',
  'pusher-js-4': 'pusher-js-4',
  'pusher-js-5': 'pusher-js-5',
  'pusher-js-6': 'pusher-js-6',
  'pusher-js-7': 'pusher-js-7',
  'pusher-js': 'pusher-js',
} as const;
const SERVERS = ['pusher-3', 'pusher-4', 'pusher'] as const;

/** The server library as all its versions have it, with `trigger` as a promise. */
interface ServerLibrary {
  authenticate(socketId: string, channel: string, member?: object): { auth: string; channel_data?: string };
  trigger(channel: string, event: string, data: unknown, ...rest: unknown[]): unknown;
  webhook(request: { headers: object; rawBody: string }): PusherServer.WebHook;
}

describe('the client library', () => {
  test.each(Object.entries(CLIENTS))('%s connects, joins, sends and receives', async (_name, path) => {
    const broker = await startServer();
    const client = openPusherOf(require(path) as PusherClass, broker, {
      backend: await officialBackend(broker),
      user: 'ann',
    });
    const watcher = await connect(broker);
    await watcher.join('private-room');

    const room = client.subscribe('private-room');
    const lobby = client.subscribe('presence-lobby');
    const members = listen<{ count: number; me: object }>(lobby, 'pusher:subscription_succeeded');
    await listen(room, 'pusher:subscription_succeeded').next();
    expect(await members.next()).toMatchObject({ count: 1, me: { id: 'ann', info: { name: 'ANN' } } });

    room.trigger('client-typing', { by: 'ann' });
    expect(JSON.parse(String(await watcher.next()))).toEqual({
      event: 'client-typing',
      channel: 'private-room',
      data: '{"by":"ann"}',
    });

    const events = listen(room, 'greeting');
    await pusherFor(broker).trigger('private-room', 'greeting', { text: 'hello 漢字 🚀' });
    expect(await events.next()).toEqual({ text: 'hello 漢字 🚀' });

    const added = listen(lobby, 'pusher:member_added');
    await watcher.join('presence-lobby', { user_id: 'bob' });
    expect(await added.next()).toMatchObject({ id: 'bob' });
  });
});

describe('the server library', () => {
  test.each(SERVERS)('%s authorizes, publishes and verifies a webhook', async (name) => {
    const receiver = await startReceiver();
    const broker = await startServer({
      app: { webhooks: [{ url: receiver.url(), events: ['member_added'] }] },
      config: { webhookAddresses: 'any' },
    });
    const Library = require(name) as new (options: object) => ServerLibrary;
    const options = { appId: APP.id, key: APP.key, secret: APP.secret, host: broker.host };
    const pusher = new Library({ ...options, port: broker.port, useTLS: false });

    const client = await connect(broker);
    client.subscribe('private-room', pusher.authenticate(client.socketId, 'private-room'));
    expect(await client.next()).toContain('subscription_succeeded');
    const member = { user_id: 'ann', user_info: { name: 'Ann' } };
    client.subscribe('presence-lobby', pusher.authenticate(client.socketId, 'presence-lobby', member));
    expect(await client.next()).toContain('\\"ann\\":{\\"name\\":\\"Ann\\"}');

    pusher.trigger('private-room', 'greeting', { text: 'hello' });
    expect(await client.next()).toBe(
      '{"event":"greeting","channel":"private-room","data":"{\\"text\\":\\"hello\\"}"}',
    );

    const { headers, rawBody } = await receiver.next();
    const webhook = pusher.webhook({ headers, rawBody });
    expect(webhook.isValid()).toBe(true);
    expect(webhook.getEvents()).toEqual([
      expect.objectContaining({ name: 'member_added', channel: 'presence-lobby', user_id: 'ann' }),
    ]);
  });
});

test('docs/compatibility.md has the versions that were run', () => {
  const root = new URL('../../', import.meta.url);
  const { packages } = JSON.parse(readFileSync(new URL('package-lock.json', root), 'utf8'));
  const page = readFileSync(new URL('docs/compatibility.md', root), 'utf8');
  const listed = page.match(/^\| `[^`]+` \d+\.\d+\.\d+ /gm)?.map((start) => start.slice(2).trim()) ?? [];
  const installed = [...Object.keys(CLIENTS), ...SERVERS, 'laravel-echo', 'laravel-echo-1'].map((folder) => {
    const { name = folder, version } = packages[`node_modules/${folder}`];
    return `\`${name}\` ${version}`;
  });
  expect(listed.toSorted()).toEqual(installed.toSorted());
});
