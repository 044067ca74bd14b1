import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { type Broker, MemoryAdapter } from '@countersign/server';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { request } from '../helpers/api.ts';
import { startCli } from '../helpers/brokers/cli.ts';
import { fileWith } from '../helpers/brokers/config-file.ts';
import { APP, configOf, OTHER_APP, type ServerSettings, startServer } from '../helpers/brokers/server.ts';
import { connect, open, type TestClient } from '../helpers/clients/client.ts';
import { connectRaw, RawClient } from '../helpers/clients/raw.ts';
import { frames } from '../helpers/frames.ts';

const restart = { code: 4200, reason: 'The server restarts: please reconnect' };
const shuttingDown = 'The server is shutting down';
const slowly: ServerSettings = { config: { drainWindowSeconds: 1 } };

const read = async (broker: Broker, path: string) => {
  const response = await fetch(`${broker.url}${path}`);
  return [response.status, await response.json()];
};

async function connectMany(broker: Broker, count: number): Promise<TestClient[]> {
  const clients: TestClient[] = [];
  for (let id = 0; id < count; id += 1) clients.push(await connect(broker));
  return clients;
}

describe('a broker that drains', () => {
  test('is not ready from then on, but alive', async () => {
    const broker = await startServer(slowly);
    // So many that it takes the whole window, in which the requests come.
    await connectMany(broker, 30);
    expect(await read(broker, '/ready')).toEqual([200, { status: 'ready' }]);
    const drained = broker.drain();
    expect(await read(broker, '/ready')).toEqual([503, { status: 'draining' }]);
    expect(await read(broker, '/health')).toEqual([200, { status: 'ok' }]);
    await drained;
  });

  test('closes its connections with 4200, oldest first', async () => {
    const broker = await startServer(slowly);
    const clients = await connectMany(broker, 10);
    const order: number[] = [];
    for (const [index, client] of clients.entries()) client.socket.on('close', () => order.push(index));
    await broker.drain();
    for (const client of clients) expect(await client.closed()).toEqual(restart);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('serves the others while the first are closed', async () => {
    const broker = await startServer(slowly);
    const clients = await connectMany(broker, 30);
    const [first, last] = [clients[0]!, clients[29]!];
    const drained = broker.drain();
    expect(await first.closed()).toEqual(restart);
    expect(await last.join('private-a')).toBe(frames.subscribed('private-a'));
    expect(await last.closed()).toEqual(restart);
    await drained;
  });

  test('closes all at once where the window is 0', async () => {
    const broker = await startServer({ config: { drainWindowSeconds: 0 } });
    const clients = await connectMany(broker, 5);
    const drained = broker.drain();
    await Promise.all(clients.map(async (client) => expect(await client.closed()).toEqual(restart)));
    await drained;
  });

  test('upgrades new clients, and closes them with 4100', async () => {
    const broker = await startServer(slowly);
    await connectMany(broker, 2);
    const drained = broker.drain();
    const late = open(broker);
    await once(late.socket, 'open');
    expect(await late.next()).toBe(frames.error(4100, shuttingDown, 'draining'));
    expect(await late.next()).toEqual({ code: 4100, reason: shuttingDown });
    await drained;
  });

  test('holds each new client for a random time', async () => {
    const random = vi.spyOn(Math, 'random');
    onTestFinished(() => random.mockRestore());
    const broker = await startServer(slowly);
    await connectMany(broker, 2);
    const drained = broker.drain();
    const order: string[] = [];
    const arrive = async (name: string, share: number) => {
      random.mockReturnValue(share);
      const late = open(broker);
      late.socket.on('close', () => order.push(name));
      await once(late.socket, 'open');
      return late;
    };
    const long = await arrive('long', 0.5);
    const short = await arrive('short', 0.1);
    expect(await short.closed()).toMatchObject({ code: 4100 });
    expect(await long.closed()).toMatchObject({ code: 4100 });
    expect(order).toEqual(['short', 'long']);
    await drained;
  });

  test('refuses new clients for their own fault first', async () => {
    const broker = await startServer(slowly);
    await connectMany(broker, 2);
    const drained = broker.drain();
    expect(await open(broker, '/app/other?protocol=7').closed()).toMatchObject({ code: 4001 });
    expect(await open(broker, `/app/${APP.key}?protocol=3`).closed()).toMatchObject({ code: 4007 });
    await drained;
  });

  test('refuses a client whose handshake was in progress, and keeps no place for it', async () => {
    const adapter = new MemoryAdapter();
    const { hold, release } = adapter.counters;
    const steps: string[] = [];
    let drained: Promise<void> | undefined;
    adapter.counters.hold = async (key, limit) => {
      drained ??= broker.drain();
      steps.push('hold');
      return hold.call(adapter.counters, key, limit);
    };
    adapter.counters.release = async (key) => {
      steps.push('release');
      return release.call(adapter.counters, key);
    };
    const broker = await startServer({ parts: { adapter } });
    const client = open(broker);
    expect(await client.next()).toBe(frames.error(4100, shuttingDown, 'draining'));
    await drained;
    expect(steps).toEqual(['hold', 'release']);
  });

  test('answers the requests that are in progress, and is done after it', async () => {
    const broker = await startServer();
    const body = JSON.stringify({ name: 'a', channel: 'news', data: 'x' });
    const client = connectTcp(broker.port, broker.host);
    onTestFinished(() => void client.destroy());
    client.write(
      `POST /apps/${APP.id}/events HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    expect(String(await once(client, 'data'))).toMatch(/^HTTP\/1.1 100 /);

    let done = false;
    const drained = broker.drain().then(() => {
      done = true;
    });
    await expect(fetch(`${broker.url}/health`)).rejects.toThrow();
    expect(done).toBe(false);
    client.write(body);
    expect(String(await once(client, 'data'))).toMatch(/^HTTP\/1.1 401 /);
    await drained;
  });

  const hanging = `POST /apps/${APP.id}/events HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n`;
  const asked = 'GET /health HTTP/1.1\r\nHost: a\r\n\r\n';
  test.each([
    ['whose body never comes', hanging, ''],
    ['whose body is left half done', hanging, '{'],
    ['whose headers are left half done, behind another one', asked, 'GET /health HT'],
  ])('cuts a request %s', async (_what, first, second) => {
    const broker = await startServer({ config: { drainTimeoutSeconds: 1 } });
    const client = connectTcp(broker.port, broker.host);
    onTestFinished(() => void client.destroy());
    client.on('error', () => {});
    client.write(first);
    await once(client, 'data');
    client.write(second);
    const closed = once(client, 'close');
    // What was written stands before what is asked now.
    await read(broker, '/health');
    await broker.drain();
    await closed;
  });

  test('does not wait for idle HTTP connections', async () => {
    const broker = await startServer();
    expect(await read(broker, '/health')).toEqual([200, { status: 'ok' }]);
    const silent = connectTcp(broker.port, broker.host);
    onTestFinished(() => void silent.destroy());
    await once(silent, 'connect');
    await broker.drain();
  });

  test('is gone after it', async () => {
    const broker = await startServer();
    await connect(broker);
    await broker.drain();
    expect(await open(broker).next()).toMatchObject({ code: 1006 });
  });
});

describe('SIGTERM', () => {
  test('ends a broker with 0 although clients never answer the close frame, nor the refusal', async () => {
    const file = await fileWith({
      port: 0,
      drainWindowSeconds: 1,
      drainTimeoutSeconds: 10,
      apps: [{ id: APP.id, keys: [{ key: APP.key, secret: APP.secret }] }],
    });
    const cli = startCli(['start', '--config', file]);
    const { port } = await cli.logged('listening');
    const broker = { host: '127.0.0.1', port: Number(port) };
    const deaf = [await connectRaw(broker), await connectRaw(broker)];
    const stuck = await connectRaw(broker);
    stuck.socket.pause();

    cli.signal('SIGTERM');
    await cli.logged('draining');
    const late = new RawClient(broker);
    late.upgrade();
    for (const client of deaf) expect(await client.closed()).toEqual(restart);
    expect(await late.closed()).toEqual({ code: 4100, reason: shuttingDown });
    expect(await cli.result()).toMatchObject({ code: 0, signal: null });
  });
});

describe('a reload', () => {
  const reload = (broker: Broker, settings: ServerSettings) => broker.reload(configOf(settings).apps);
  const keys = (...names: string[]) => names.map((key) => ({ key, secret: APP.secret }));
  const keyOf = (name: string) => ({ ...APP, key: name });

  test('keeps the connections whose app and key remain', async () => {
    const broker = await startServer({ app: { keys: keys('old', 'new') } });
    const client = await connect(broker, keyOf('new'));
    await client.join('presence-a', { user_id: 'ann' });
    reload(broker, {
      app: { keys: keys('new'), name: 'Another name', requireTLS: true, allowedOrigins: [] },
    });
    expect(await client.nothing()).toEqual([]);
    expect((await request(broker, 'GET', '/channels', { app: keyOf('new') })).body).toEqual({
      channels: { 'presence-a': {} },
    });
  });

  test('closes those whose key was removed with 4001', async () => {
    const broker = await startServer({ app: { keys: keys('old', 'new') } });
    const [gone, kept] = [await connect(broker, keyOf('old')), await connect(broker, keyOf('new'))];
    reload(broker, { app: { keys: keys('new') } });
    expect(await gone.closed()).toEqual({ code: 4001, reason: 'The key was removed' });
    expect(await kept.nothing()).toEqual([]);
    expect(await open(broker, '/app/old?protocol=7').closed()).toMatchObject({ code: 4001 });
  });

  test('closes those whose app was removed with 4001', async () => {
    const broker = await startServer();
    const [gone, kept] = [await connect(broker, OTHER_APP), await connect(broker)];
    broker.reload(configOf().apps.slice(0, 1));
    expect(await gone.closed()).toEqual({ code: 4001, reason: 'The key was removed' });
    expect(await kept.nothing()).toEqual([]);
  });

  test('closes those whose key belongs to another app now with 4001', async () => {
    const broker = await startServer();
    const client = await connect(broker);
    reload(broker, { app: { id: 'successor' } });
    expect(await client.closed()).toEqual({ code: 4001, reason: 'The key was removed' });
    await connect(broker);
  });

  test('closes those whose app was disabled with 4003', async () => {
    const broker = await startServer();
    const [gone, kept] = [await connect(broker), await connect(broker, OTHER_APP)];
    reload(broker, { app: { enabled: false } });
    expect(await gone.closed()).toEqual({ code: 4003, reason: 'The app was disabled' });
    expect(await kept.nothing()).toEqual([]);
    expect(await open(broker).closed()).toMatchObject({ code: 4003 });
    reload(broker, {});
    await connect(broker);
  });

  test('accepts new apps and keys', async () => {
    const broker = await startServer();
    expect(await open(broker, '/app/later?protocol=7').closed()).toMatchObject({ code: 4001 });
    reload(broker, { app: { keys: keys(APP.key, 'later') } });
    await connect(broker, keyOf('later'));
  });

  test('changes the settings of connections that are open', async () => {
    const broker = await startServer();
    const client = await connect(broker);
    await client.join('private-a');
    reload(broker, { app: { clientEvents: false }, limits: { channelNameLength: 10 } });
    client.send({ event: 'client-a', channel: 'private-a', data: 'x' });
    expect(await client.next()).toBe(
      frames.error(null, 'Client events are turned off for this app', 'client_events_off'),
    );
    client.subscribe('eleven-char');
    expect(await client.next()).toContain('InvalidChannel');
  });

  test('changes the secret that subscriptions are signed with', async () => {
    const broker = await startServer();
    const client = await connect(broker);
    const secret = 'another secret';
    reload(broker, { app: { keys: [{ key: APP.key, secret }] } });
    expect(await client.join('private-a')).toBe(
      frames.subscriptionError('private-a', 'AuthError', 'Invalid signature', 401, 'invalid_signature'),
    );
    client.credentials = { ...APP, secret };
    expect(await client.join('private-a')).toBe(frames.subscribed('private-a'));
  });

  test('counts the connections that are open towards a quota that is new', async () => {
    const broker = await startServer();
    const [first] = await connectMany(broker, 2);
    reload(broker, { limits: { connections: 2 } });
    expect(await open(broker).closed()).toMatchObject({ code: 4004 });
    first!.socket.close();
    await first!.closed();
    await connect(broker);
    expect(await open(broker).closed()).toMatchObject({ code: 4004 });
  });

  test('forgets no connection while there is no quota', async () => {
    const broker = await startServer({ limits: { connections: 2 } });
    const clients = await connectMany(broker, 2);
    reload(broker, {});
    for (const client of clients) {
      client.socket.close();
      await client.closed();
    }
    reload(broker, { limits: { connections: 2 } });
    await connectMany(broker, 2);
    expect(await open(broker).closed()).toMatchObject({ code: 4004 });
  });

  test.each([
    ['4001, since its app was removed', { app: { id: 'successor' } }, 4001],
    ['4003, since its app was disabled', { app: { enabled: false } }, 4003],
  ])('closes a client that was connecting with %s', async (_what, settings, code) => {
    const adapter = new MemoryAdapter();
    const { hold } = adapter.counters;
    adapter.counters.hold = async (key, limit) => {
      reload(broker, settings);
      return hold.call(adapter.counters, key, limit);
    };
    const broker = await startServer({ parts: { adapter } });
    expect(await open(broker).closed()).toMatchObject({ code });
  });
});
