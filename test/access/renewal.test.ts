/** Renewal by the backend, which no client notices. */
import { Countersign as Client } from '@countersign/sdk-client';
import { authRouter } from '@countersign/sdk-server/express';
import { describe, expect, onTestFinished, test } from 'vitest';
import { publish } from '../helpers/api.ts';
import { countersignFor, startBackend } from '../helpers/brokers/backend.ts';
import {
  RENEWAL_SECRET,
  refused,
  renewedFor,
  renewing,
  startRenewingBackend,
} from '../helpers/brokers/renewing-backend.ts';
import { APP, configOf, type ServerSettings, startServer } from '../helpers/brokers/server.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { connect } from '../helpers/clients/client.ts';
import { eventually, nextEvent } from '../helpers/clients/client-start.ts';
import { connectCapable, granted, inSeconds, read } from '../helpers/clients/grants.ts';
import { frames } from '../helpers/frames.ts';
import { recordLog } from '../helpers/log.ts';
import { readSamples } from '../helpers/metrics.ts';
import { livesOf } from './lives.ts';

const CHANNEL = 'private-team';

/** A broker whose app asks a backend. */
async function start(
  backend: { readonly url: string },
  {
    grants = {},
    settings = {},
    ...more
  }: { grants?: object; settings?: object } & Pick<ServerSettings, 'config' | 'parts'> = {},
) {
  return startServer({ ...more, app: { grants: { ...renewing(backend.url, settings).grants, ...grants } } });
}

describe('renewal by the backend', { timeout: 60_000 }, () => {
  test('keeps ten pages of pusher-js subscribed through ten grants each, and they notice none of the hundred', () =>
    livesOf({ pages: 10, grants: 10, withinMs: 50_000 }));

  test('asks in the order of Standard Webhooks, for each grant with what was signed', async () => {
    const backend = await startRenewingBackend((right) => renewedFor(60, right));
    const broker = await start(backend);
    const client = await connect(broker);
    await client.signIn({ id: 'ann', countersign: { id: 's-1', exp: inSeconds(4) } });
    const lobby = granted({ id: 'g-1', exp: inSeconds(4) }, { user_id: 'ann' });
    await client.join('presence-lobby', lobby);
    const team = granted({ exp: inSeconds(4), user: 'ann' });
    await client.join(CHANNEL, team);
    await eventually(() => backend.requests.flatMap(({ grants }) => grants).length).toBe(3);
    const rights = backend.requests.flatMap(({ grants }) => grants);
    expect(backend.requests.every(({ type }) => type === 'grants.renew')).toBe(true);
    const common = { socket_id: client.socketId, user_id: 'ann', expires_at: expect.any(Number) };
    expect(rights).toContainEqual({
      ...common,
      user_data: expect.stringContaining('"s-1"'),
      grant_id: 's-1',
    });
    expect(rights).toContainEqual({
      ...common,
      channel: 'presence-lobby',
      channel_data: JSON.stringify(lobby),
      grant_id: 'g-1',
    });
    expect(rights).toContainEqual({
      ...common,
      channel: CHANNEL,
      channel_data: JSON.stringify(team),
      grant_id: null,
    });
    expect(await client.nothing()).toEqual([]);
  });

  test('is noticed by no other member, and keeps the events coming', async () => {
    const backend = await startRenewingBackend((right) => renewedFor(60, right));
    const broker = await start(backend);
    const [ann, bob] = [await connect(broker), await connect(broker)];
    await bob.join('presence-room', { user_id: 'bob' });
    await ann.join('presence-room', granted({ exp: inSeconds(2) }, { user_id: 'ann' }));
    expect(await bob.next()).toBe(frames.memberAdded('presence-room', 'ann'));
    await eventually(() => backend.requests.length).toBe(1);
    // Past its first end, the grant is the renewed one.
    await eventually(
      () => Date.now() / 1000 > (backend.requests[0]?.grants[0]?.expires_at ?? Infinity) + 1,
    ).toBe(true);
    await publish(broker, 'presence-room', 'e', 'text');
    expect(await ann.next()).toBe(frames.event('e', 'presence-room', 'text'));
    expect(await bob.next()).toBe(frames.event('e', 'presence-room', 'text'));
  });

  test('asks about a grant without claims as well, which maxSeconds ends', async () => {
    const backend = await startRenewingBackend((right) => renewedFor(60, right));
    const broker = await start(backend, { grants: { maxSeconds: 2 } });
    const client = await connect(broker);
    await client.join(CHANNEL);
    await eventually(() => backend.requests.length).toBeGreaterThan(1);
    expect(backend.requests[0]?.grants).toEqual([
      {
        socket_id: client.socketId,
        channel: CHANNEL,
        user_id: null,
        grant_id: null,
        expires_at: expect.any(Number),
        channel_data: null,
      },
    ]);
    expect(await client.nothing()).toEqual([]);
  });

  test('ends the grant at once that the backend refuses, with its reason', async () => {
    const backend = await startRenewingBackend(() => refused('left the team'));
    const broker = await start(backend);
    const client = await connect(broker);
    const exp = inSeconds(30);
    await client.join(CHANNEL, granted({ exp: inSeconds(3), user: 'ann' }));
    expect(read(await client.next()).data).toEqual({
      type: 'AuthError',
      status: 403,
      error: 'left the team',
      code: 'grant_refused',
    });
    expect(Date.now() / 1000).toBeLessThan(exp);
    expect(await client.join(CHANNEL, granted({ exp }))).toContain('succeeded');
  });

  test('closes the connection whose sign-in the backend refuses', async () => {
    const backend = await startRenewingBackend(() => refused('left the company'));
    const client = await connect(await start(backend));
    await client.signIn({ id: 'ann', countersign: { exp: inSeconds(3) } });
    const { code, reason } = await client.closed();
    expect(code).toBe(4009);
    expect(reason).toBe('grant_refused: left the company');
  });

  test.each<[what: string, respond: (times: number) => number | object | undefined]>([
    ['a 500', (times) => (times === 1 ? 500 : undefined)],
    ['too few answers', (times) => (times === 1 ? { grants: [] } : undefined)],
    ['something else', (times) => (times === 1 ? { grants: [{ status: 302 }] } : undefined)],
    [
      'a wrong signature',
      (times) =>
        times === 1 ? { grants: [{ status: 200, auth: `${APP.key}:${'0'.repeat(64)}` }] } : undefined,
    ],
  ])('is tried again after %s', async (_, respond) => {
    const backend = await startRenewingBackend((right) => renewedFor(60, right), {
      respond: (_request, times) => respond(times),
    });
    const client = await connect(await start(backend));
    const exp = inSeconds(3);
    await client.join(CHANNEL, granted({ exp }));
    await eventually(() => backend.requests.length).toBe(2);
    await eventually(() => Date.now() / 1000 > exp + 1).toBe(true);
    expect(await client.nothing()).toEqual([]);
  });

  test('of another user is not believed, and the grant ends', async () => {
    const backend = await startRenewingBackend((right) =>
      renewedFor(60, { ...right, channel_data: '{"user_id":"bob"}' }),
    );
    const client = await connect(await start(backend));
    await client.join('presence-room', granted({ exp: inSeconds(2) }, { user_id: 'ann' }));
    expect(read(await client.next()).data).toMatchObject({ code: 'grant_expired' });
  });

  test('a backend that is away has until the end, and graceSeconds more, with one line in the log', async () => {
    const { log, lines } = recordLog('info');
    const broker = await start(
      { url: 'http://127.0.0.1:9/renew' },
      { settings: { graceSeconds: 2 }, parts: { log } },
    );
    const client = await connect(broker);
    const exp = inSeconds(2);
    for (const n of [0, 1, 2]) await client.join(`private-${n}`, granted({ exp }));
    await publish(broker, 'private-0', 'e', 'before');
    expect(await client.next()).toBe(frames.event('e', 'private-0', 'before'));
    expect(read(await client.next()).data).toMatchObject({ code: 'grant_expired' });
    expect(Date.now() / 1000).toBeGreaterThanOrEqual(exp + 2);
    expect(lines.filter(({ msg }) => msg === 'backend does not renew grants')).toHaveLength(1);
    const samples = await readSamples(broker.metricsUrl!);
    expect(samples.get('countersign_renewals_total{app="app-1",result="failed"}')).toBeGreaterThanOrEqual(3);
  });

  test('then ends as the app says: the connection is closed, and comes back', async () => {
    const broker = await start({ url: 'http://127.0.0.1:9/renew' }, { grants: { onExpiry: 'reconnect' } });
    const client = await connect(broker);
    const exp = inSeconds(2);
    await client.join(CHANNEL, granted({ exp }));
    expect((await client.closed()).code).toBe(4200);
    expect(Date.now() / 1000).toBeGreaterThanOrEqual(exp);
  });

  test('a client that renews by itself comes first, and the backend is asked when it does not', async () => {
    const backend = await startRenewingBackend((right) => renewedFor(60, right));
    const broker = await start(backend);
    const client = await connectCapable(broker);
    await client.join(CHANNEL, granted({ exp: inSeconds(3) }));
    expect(read(await client.next()).event).toBe('countersign:grant_expiring');
    expect(backend.requests).toEqual([]);
    expect(read(await client.join(CHANNEL, granted({ exp: inSeconds(3) }))).event).toBe(
      'countersign:grant_renewed',
    );
    expect(read(await client.next()).event).toBe('countersign:grant_expiring');
    // This time it does not answer.
    const renewed = read(await client.next());
    expect(renewed).toMatchObject({ event: 'countersign:grant_renewed', channel: CHANNEL });
    expect(backend.requests).toHaveLength(1);
  });

  test('our client renews without the backend being asked', async () => {
    const backend = await startRenewingBackend((right) => renewedFor(60, right));
    const broker = await start(backend);
    const app = await startBackend((express) =>
      express.use(
        authRouter(countersignFor(broker), {
          user: () => ({ id: 'ann' }),
          canAccess: () => true,
          grantSeconds: 3,
        }),
      ),
    );
    const client = new Client(APP.key, {
      host: broker.host,
      port: broker.port,
      forceTLS: false,
      channelAuthorization: { endpoint: `${app}/auth` },
    });
    onTestFinished(() => client.disconnect());
    const channel = client.subscribe(CHANNEL);
    await nextEvent(channel, 'pusher:subscription_succeeded');
    const { expiresAt } = channel;
    expect(await nextEvent(channel, 'countersign:grant_renewed')).toEqual({ expires_at: expect.any(Number) });
    expect(channel.expiresAt).toBeGreaterThan(expiresAt!);
    expect(backend.requests).toEqual([]);
  });

  test('is asked for by each worker about its own connections', async () => {
    const backend = await startRenewingBackend((right) => renewedFor(60, right));
    const group = await startWorkers({ app: renewing(backend.url) });
    const clients = [await group.connectTo(1), await group.connectTo(2)];
    const exp = inSeconds(4);
    for (const client of clients) await client.join(CHANNEL, granted({ exp }));
    const asked = () => backend.requests.flatMap(({ grants }) => grants.map(({ socket_id }) => socket_id));
    await eventually(() => asked().sort()).toEqual(clients.map(({ socketId }) => socketId).sort());
    await eventually(() => Date.now() / 1000 > exp + 1).toBe(true);
    for (const client of clients) expect(await client.nothing()).toEqual([]);
  });

  test('asks about 200 grants at a time, with four requests under way', async () => {
    const release: (() => void)[] = [];
    const backend = await startRenewingBackend(async (right, request) => {
      if (request.grants[0] === right) await new Promise<void>((resolve) => release.push(resolve));
      return renewedFor(60, right);
    });
    // All come due at the same moment, however long the clients take to join.
    const broker = await start(backend, { settings: { leadSeconds: 3, graceSeconds: 30 } });
    const clients = await Promise.all(Array.from({ length: 6 }, () => connect(broker)));
    const exp = inSeconds(15);
    await Promise.all(
      clients.map(async (client) => {
        for (let n = 0; n < 190; n++) client.askFor(`private-${n}`, granted({ exp }));
        await client.until((received) => String(received).includes('"private-189"'));
      }),
    );
    await eventuallyIn(20_000, () => release.length).toBe(4);
    const sizes = backend.requests.map(({ grants }) => grants.length);
    expect(Math.max(...sizes)).toBe(200);
    const asked = () => backend.requests.flatMap(({ grants }) => grants).length;
    while (asked() < 6 * 190) {
      await eventually(() => release.length).toBeGreaterThan(0);
      for (const go of release.splice(0)) go();
    }
    for (const go of release.splice(0)) go();
    expect(backend.underWay.most).toBe(4);
  });

  test('calls no address that is not public where receivers of webhooks may not be, either', async () => {
    const backend = await startRenewingBackend((right) => renewedFor(60, right));
    const broker = await start(backend, { config: { webhookAddresses: 'public' } });
    const client = await connect(broker);
    await client.join(CHANNEL, granted({ exp: inSeconds(2) }));
    expect(read(await client.next()).data).toMatchObject({ code: 'grant_expired' });
    expect(backend.requests).toEqual([]);
    const samples = await readSamples(broker.metricsUrl!);
    expect(
      samples.get('countersign_renewal_requests_total{app="app-1",outcome="forbidden"}'),
    ).toBeGreaterThan(0);
  });
});

/** As {@link eventually}, with a longer deadline. */
function eventuallyIn<Value>(timeout: number, look: () => Value) {
  return expect.poll(look, { timeout });
}

test.each<[what: string, renewal: object, path: RegExp]>([
  ['no secret', { url: 'https://a.example/renew' }, /grants\.renewal/],
  ['another secret', { url: 'https://a.example/renew', secret: 'secret' }, /grants\.renewal/],
  ['another scheme', { url: 'ftp://a.example', secret: RENEWAL_SECRET }, /grants\.renewal/],
  ['no lead', { url: 'https://a.example', secret: RENEWAL_SECRET, leadSeconds: 0 }, /grants\.renewal/],
])('a configuration with %s is refused', (_, renewal, path) => {
  expect(() => configOf({ app: { grants: { renewal } } })).toThrow(path);
});
