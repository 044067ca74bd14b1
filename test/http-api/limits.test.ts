import { once } from 'node:events';
import { createConnection } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, onTestFinished, test } from 'vitest';
import { OTHER_APP } from '../helpers/brokers/server.ts';
import { eventually } from '../helpers/eventually.ts';
import { get, type HttpAnswer, post, send, signed, startExample } from '../helpers/http.ts';
import { recordLog } from '../helpers/log.ts';
import { readSamples } from '../helpers/metrics.ts';
import { TIMESTAMP } from '../packages/vectors.ts';

const EVENT = { name: 'e', channel: 'c', data: 'x' };
const UNSIGNED = { target: '/apps/3/channels' };

/** A broker with a clock that the test moves. */
async function startClocked(settings: Parameters<typeof startExample>[0]) {
  const clock = { ms: TIMESTAMP * 1000 };
  return { clock, broker: await startExample({ ...settings, parts: { monotonic: () => clock.ms } }) };
}

function statusOf({ status }: HttpAnswer): number {
  return status;
}

describe('httpRequestsPerSecond', () => {
  const settings = { app: { limits: { httpRequestsPerSecond: 3 } } };

  test('is for all that an app asks, whichever way it comes in', async () => {
    const { broker, clock } = await startClocked(settings);
    const ask = async () => [
      await post(broker, 'events', EVENT),
      await get(broker, 'channels'),
      await post(broker, 'batch_events', { batch: [] }),
      await post(broker, 'events', EVENT),
      await get(broker, 'channels'),
    ];
    const answers = await ask();
    expect(answers.map(statusOf)).toEqual([200, 200, 200, 429, 429]);
    for (const answer of answers.slice(3)) {
      expect(answer.text).toBe(
        '{"error":"Too many requests for this app: try again later","status":429,"code":"too_many_requests"}',
      );
      expect(answer.headers).toMatchObject({
        'content-type': 'application/json',
        'retry-after': expect.stringMatching(/^\d+$/),
        'x-ratelimit-limit': '3',
        'x-ratelimit-remaining': '0',
      });
    }
    clock.ms += 1000;
    expect((await ask()).map(statusOf)).toEqual([200, 200, 200, 429, 429]);
  });

  test('is not used up by requests that prove nothing, nor by another app', async () => {
    const { broker } = await startClocked(settings);
    const other = {
      path: `/apps/${OTHER_APP.id}/channels`,
      proof: { auth_key: OTHER_APP.key },
      secret: OTHER_APP.secret,
    };
    for (let count = 0; count < 5; count += 1) {
      expect(await send(broker, UNSIGNED)).toMatchObject({ status: 401 });
      expect(await send(broker, signed(other))).toMatchObject({ status: 200 });
    }
    expect(await get(broker, 'channels')).toMatchObject({ status: 200 });
  });

  test('is exact where it is taken in steps, also by many at once', async () => {
    const { broker } = await startClocked({ app: { limits: { httpRequestsPerSecond: 120 } } });
    const answers = await Promise.all(Array.from({ length: 200 }, () => post(broker, 'events', EVENT)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(120);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(80);
  });

  test('is 2000 unless it is set, and none if it is null', async () => {
    const ask = async (limits: object) => {
      const { broker } = await startClocked({ app: { limits } });
      const counts = new Map<number, number>();
      for (let round = 0; round < 21; round += 1) {
        const answers = await Promise.all(Array.from({ length: 100 }, () => post(broker, 'events', EVENT)));
        for (const { status } of answers) counts.set(status, (counts.get(status) ?? 0) + 1);
      }
      return Object.fromEntries(counts);
    };
    expect(await ask({})).toEqual({ 200: 2000, 429: 100 });
    expect(await ask({ httpRequestsPerSecond: null })).toEqual({ 200: 2100 });
  });
});

describe('failedAuthenticationsPerMinute', () => {
  const settings = { config: { failedAuthenticationsPerMinute: 3, trustProxy: 1 } };
  const from = (address: string) => ({ ...UNSIGNED, headers: { 'X-Forwarded-For': address } });

  test('is for what proves nothing; what is signed still passes', async () => {
    const { broker, clock } = await startClocked(settings);
    const refused = [
      UNSIGNED,
      { ...signed({ path: '/apps/3/events', body: '{}' }), body: 'changed' },
      signed({ path: '/apps/nobody/channels' }),
      UNSIGNED,
      { ...signed({ path: '/apps/3/events', body: '{}' }), body: 'changed' },
      signed({ path: '/apps/nobody/channels' }),
    ];
    const answers: HttpAnswer[] = [];
    for (const request of refused) answers.push(await send(broker, request));
    expect(answers.map(statusOf)).toEqual([401, 401, 404, 429, 429, 429]);
    expect(answers[3]?.text).toBe(
      '{"error":"Too many refused requests from this address: check the key, secret and clock, and try again later","status":429,"code":"too_many_refused_requests"}',
    );
    expect(answers[3]?.headers['retry-after']).toMatch(/^\d+$/);
    expect(await post(broker, 'events', EVENT)).toMatchObject({ status: 200 });
    expect(await get(broker, 'channels')).toMatchObject({ status: 200 });
    clock.ms += 60_000;
    expect(await send(broker, UNSIGNED)).toMatchObject({ status: 401 });
  });

  test('is for each address of its own, behind a trusted proxy too', async () => {
    const { broker } = await startClocked(settings);
    const statuses = async (address: string) => {
      const answers: HttpAnswer[] = [];
      for (let count = 0; count < 4; count += 1) answers.push(await send(broker, from(address)));
      return answers.map(statusOf);
    };
    for (const address of ['192.0.2.1', '192.0.2.2', '::ffff:192.0.2.3', '2001:db8::1']) {
      expect(await statuses(address)).toEqual([401, 401, 401, 429]);
    }
    // One customer of a provider has many IPv6 addresses, and an IPv4 address may be written as an IPv6 one.
    for (const known of ['2001:db8::2', '::ffff:192.0.2.1']) {
      expect(await send(broker, from(known))).toMatchObject({ status: 429 });
    }
  });

  test('counts no other mistakes', async () => {
    const { broker } = await startClocked(settings);
    const mistakes = [
      signed({ path: '/apps/3/events', body: '{}' }),
      signed({ path: '/apps/3/channels', query: { info: 'x' } }),
      { target: '/apps/3/channels?a=%FF' },
      { target: '/nothing' },
      { target: '/apps/3/events' },
    ];
    for (const request of mistakes) expect((await send(broker, request)).status).toBeGreaterThanOrEqual(400);
    expect(await send(broker, UNSIGNED)).toMatchObject({ status: 401 });
  });

  test('null turns it off', async () => {
    const { broker } = await startClocked({ config: { failedAuthenticationsPerMinute: null } });
    const answers = await Promise.all(Array.from({ length: 100 }, () => send(broker, UNSIGNED)));
    expect(new Set(answers.map(statusOf))).toEqual(new Set([401]));
    expect(answers[0]?.headers).not.toHaveProperty('x-ratelimit-limit');
  });
});

test('bodies of many who prove nothing do not fill the memory', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const broker = await startExample();
  const almostAll = Buffer.alloc(1_000_000, 'x');
  collect();
  const before = process.memoryUsage().arrayBuffers;
  for (let count = 0; count < 50; count += 1) {
    const socket = createConnection(broker.port, broker.host);
    onTestFinished(() => void socket.destroy());
    socket.write('POST /apps/3/events HTTP/1.1\r\nHost: x\r\nContent-Length: 1000001\r\n\r\n');
    if (!socket.write(almostAll)) await once(socket, 'drain');
  }
  expect(await post(broker, 'events', EVENT)).toMatchObject({ status: 200 });
  // They sent 50 MB. Some of it may be on its way; what is kept would stay until the requests time out.
  await eventually(() => {
    collect();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(25_000_000);
  }, 3000);
});

test('a request whose headers are too large is answered, counted and logged', async () => {
  const { log, lines } = recordLog('warn');
  const broker = await startExample({ parts: { log } });
  const socket = createConnection(broker.port, broker.host);
  socket.write(`GET /health HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(40_000)}\r\n\r\n`);
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toBe('HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n');
  socket.destroy();
  const samples = await readSamples(broker.metricsUrl!);
  expect(samples.get('countersign_bounds_reached_total{bound="header_bytes"}')).toBe(1);
  expect(lines).toContainEqual(expect.objectContaining({ msg: 'bound reached', type: 'header_bytes' }));
});

test('a request that makes no end is answered, counted and logged', async () => {
  const { log, lines } = recordLog('warn');
  const broker = await startExample({ config: { requestTimeoutSeconds: 1 }, parts: { log } });
  const socket = createConnection(broker.port, broker.host);
  socket.write('POST /apps/3/events HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{');
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toMatch(/^HTTP\/1.1 408 Request Timeout\r\n/);
  expect(lines).toContainEqual(expect.objectContaining({ msg: 'bound reached', type: 'request_timeout' }));
});
