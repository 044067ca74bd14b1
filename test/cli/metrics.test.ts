import { readFileSync } from 'node:fs';
import { type Broker, createServer } from '@countersign/server';
import { describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { APP, configOf, startServer } from '../helpers/brokers/server.ts';
import { connect, open } from '../helpers/clients/client.ts';
import { send } from '../helpers/http.ts';
import { readSamples } from '../helpers/metrics.ts';
import { freePort } from '../helpers/redis/redis.ts';

const TOKEN = 'token-of-the-metrics';

async function read(url: string, token?: string): Promise<Response> {
  return fetch(url, token === undefined ? {} : { headers: { Authorization: `Bearer ${token}` } });
}

describe('what is told', () => {
  test('connections, subscriptions, channels, members, messages and deliveries', async () => {
    const broker = await startServer();
    const [ann, bob] = [await connect(broker), await connect(broker)];
    await ann.join('news');
    await bob.join('news');
    await ann.join('presence-room', { user_id: 'ann' });
    await publish(broker, 'news', 'headline', 'one');
    await Promise.all([ann.next(), bob.next()]);

    const app = `app="${APP.id}"`;
    const told = await readSamples(`${broker.url}/metrics`);
    expect(Object.fromEntries(told)).toMatchObject({
      [`countersign_connections{${app}}`]: 2,
      [`countersign_connects_total{${app}}`]: 2,
      [`countersign_subscriptions{${app},kind="public"}`]: 2,
      [`countersign_subscriptions{${app},kind="presence"}`]: 1,
      [`countersign_channels{${app},kind="public"}`]: 1,
      [`countersign_channels{${app},kind="presence"}`]: 1,
      [`countersign_channels{${app},kind="encrypted"}`]: 0,
      [`countersign_members{${app}}`]: 1,
      [`countersign_messages_received_total{${app}}`]: 3,
      // Two greetings, three answers to subscriptions, one event for two.
      [`countersign_messages_sent_total{${app}}`]: 7,
      [`countersign_deliveries_total{${app}}`]: 2,
      [`countersign_publishes_total{${app},code="200"}`]: 1,
      [`countersign_buffered_bytes{${app}}`]: 0,
      [`countersign_slow_readers_total{${app}}`]: 0,
      countersign_degraded: 0,
    });
    expect(told.get(`countersign_received_bytes_total{${app}}`)).toBeGreaterThan(100);
    expect(told.get(`countersign_sent_bytes_total{${app}}`)).toBeGreaterThan(100);
    expect(told.get('countersign_flush_seconds_count')).toBeGreaterThanOrEqual(3);
    expect(told.get('countersign_flush_connections_sum')).toBe(told.get('countersign_flush_writes_total'));
  });

  test('what was refused, and why', async () => {
    const broker = await startServer({ limits: { clientEventsPerSecond: 1 } });
    const stranger = open(broker, '/app/nobody?protocol=7');
    await stranger.closed();
    const client = await connect(broker);
    client.subscribe('private-notes', { auth: 'wrong' });
    await client.next();
    await client.join('private-notes');
    for (const data of ['1', '2']) client.send({ event: 'client-x', channel: 'private-notes', data });
    await client.next();
    expect((await request(broker, 'POST', '/events', { body: 'no JSON' })).status).toBe(400);

    const app = `app="${APP.id}"`;
    expect(Object.fromEntries(await readSamples(`${broker.url}/metrics`))).toMatchObject({
      'countersign_refused_handshakes_total{code="4001"}': 1,
      [`countersign_refusals_total{${app},reason="AuthError"}`]: 1,
      [`countersign_refusals_total{${app},reason="4301"}`]: 1,
      [`countersign_rate_limit_hits_total{${app}}`]: 1,
      [`countersign_client_events_total{${app}}`]: 1,
      [`countersign_publishes_total{${app},code="400"}`]: 1,
    });
  });

  test('closed connections by code, and gauges that fall back', async () => {
    const broker = await startServer();
    const client = await connect(broker);
    await client.join('presence-room', { user_id: 'ann' });
    client.socket.close(1000);
    await client.closed();

    const app = `app="${APP.id}"`;
    const told = async () => Object.fromEntries(await readSamples(`${broker.url}/metrics`));
    await expect.poll(told).toMatchObject({
      [`countersign_closes_total{${app},code="1000"}`]: 1,
      [`countersign_connections{${app}}`]: 0,
      [`countersign_subscriptions{${app},kind="presence"}`]: 0,
      [`countersign_channels{${app},kind="presence"}`]: 0,
      [`countersign_members{${app}}`]: 0,
    });
  });

  test('names that clients choose become no labels', async () => {
    const broker = await startServer();
    const client = await connect(broker);
    await client.join('presence-chosen', { user_id: 'chosen-too' });
    client.socket.close(4999, 'chosen');
    await client.closed();
    await request(broker, 'GET', '/channels/chosen');

    const page = async () => (await read(`${broker.url}/metrics`)).text();
    await expect.poll(page).toContain('code="1005"');
    expect(await page()).not.toMatch(/chosen|"4999"/);
  });

  test('the process and what runs in it', async () => {
    const broker = await startServer();
    const told = await readSamples(`${broker.url}/metrics`);
    const names = [...told.keys()].map((sample) => sample.split('{', 1)[0]);
    expect(names).toEqual(
      expect.arrayContaining([
        'countersign_build_info',
        'countersign_event_loop_delay_seconds',
        'nodejs_heap_size_used_bytes',
        'nodejs_heap_size_limit_bytes',
        'process_cpu_seconds_total',
        'process_resident_memory_bytes',
      ]),
    );
    expect(told.get('countersign_event_loop_delay_seconds{quantile="0.5"}')).toBeLessThan(1);
  });

  test('two brokers in one process each tell their own', async () => {
    const [one, other] = [await startServer(), await startServer()];
    await connect(one);
    const connections = `countersign_connections{app="${APP.id}"}`;
    expect((await readSamples(`${one.url}/metrics`)).get(connections)).toBe(1);
    expect((await readSamples(`${other.url}/metrics`)).get(connections)).toBe(0);
  });
});

describe('who may ask', () => {
  test('without settings, only a broker on loopback answers', async () => {
    const local = await startServer();
    expect(local.metricsUrl).toBe(`${local.url}/metrics`);
    const open = await startServer({ config: { host: '0.0.0.0' } });
    expect(open.metricsUrl).toBeUndefined();
    expect((await read(`http://127.0.0.1:${open.port}/metrics`)).status).toBe(404);
  });

  test.each<[what: string, headers: Record<string, string>]>([
    ['a proxy', { 'X-Forwarded-For': '203.0.113.9' }],
    ['a proxy that uses the standard header', { Forwarded: 'for=203.0.113.9' }],
    ['a proxy that says no more than its name', { Via: '1.1 proxy' }],
    ['another name', { Host: 'countersign.example' }],
  ])('a broker on loopback does not answer %s without a token, on either port', async (_what, headers) => {
    const ask = ({ host }: Broker, url: string) =>
      send({ host, port: Number(new URL(url).port) }, { target: '/metrics', headers });
    const main = await startServer();
    expect((await ask(main, main.url)).status).toBe(403);
    const own = await startServer({ config: { metrics: { port: 0 } } });
    expect((await ask(own, own.metricsUrl!)).status).toBe(403);
    const guarded = await startServer({ config: { metrics: { token: TOKEN } } });
    const target = { target: '/metrics', headers: { ...headers, Authorization: `Bearer ${TOKEN}` } };
    expect((await send(guarded, target)).status).toBe(200);
  });

  test('with a token, whoever has it', async () => {
    const broker = await startServer({ config: { host: '0.0.0.0', metrics: { token: TOKEN } } });
    const url = `http://127.0.0.1:${broker.port}/metrics`;
    const refused = await read(url);
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toBe('Bearer');
    expect((await read(url, `${TOKEN}x`)).status).toBe(401);
    expect((await read(url, TOKEN)).status).toBe(200);
  });

  test('with a port of its own, the main port does not answer', async () => {
    const broker = await startServer({ config: { metrics: { port: 0, token: TOKEN } } });
    expect(broker.metricsUrl).not.toBe(`${broker.url}/metrics`);
    expect((await read(`${broker.url}/metrics`, TOKEN)).status).toBe(404);
    expect((await read(broker.metricsUrl!)).status).toBe(401);
    expect((await readSamples(broker.metricsUrl!, TOKEN)).size).toBeGreaterThan(10);
    expect((await read(broker.metricsUrl!.replace('/metrics', '/'), TOKEN)).status).toBe(404);
  });

  test('behind the path prefix, and with GET only', async () => {
    const broker = await startServer({ config: { pathPrefix: '/realtime' } });
    expect(broker.metricsUrl).toBe(`${broker.url}/realtime/metrics`);
    const posted = await fetch(broker.metricsUrl!, { method: 'POST' });
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    expect((await read(broker.metricsUrl!)).headers.get('content-type')).toMatch(/^text\/plain; version=/);
  });

  test('a broker whose metrics port is taken does not start', async () => {
    const first = await startServer();
    const settings = { metrics: { port: first.port } };
    await expect(createServer(configOf({ config: settings }))).rejects.toThrow(/EADDRINUSE/);
  });
});

describe('the documentation', () => {
  const page = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

  /** Name and type of each metric that is told; whether Redis can be reached makes no difference. */
  async function told(): Promise<ReadonlyMap<string, string>> {
    const broker = await startServer({ config: { redis: { url: `redis://127.0.0.1:${await freePort()}` } } });
    const text = await (await read(`${broker.url}/metrics`)).text();
    return new Map(
      [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, type]),
    );
  }

  test('has a row for each metric, with its type, and no other rows', async () => {
    const rows = [...page('operations.md').matchAll(/^\| `(\w+)` \| (gauge|counter|histogram) \|/gm)];
    const documented = rows.map(([, name = '', type = '']) => [name, type] as const);
    expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(await told()));
  });

  test.each(['operations.md', 'grafana.json'])('%s asks for metrics that exist', async (name) => {
    const metrics = await told();
    const asked = page(name).match(/\b(countersign|nodejs|process)_\w+/g) ?? [];
    const unknown = asked.filter(
      (metric) =>
        !metrics.has(metric) && metrics.get(metric.replace(/_(bucket|sum|count)$/, '')) !== 'histogram',
    );
    expect(asked.length).toBeGreaterThan(10);
    expect(unknown).toEqual([]);
  });
});
