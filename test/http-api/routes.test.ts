import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { createConnection } from 'node:net';
import type { Adapter } from '@countersign/server';
import { MemoryAdapter } from '@countersign/server';
import express from 'express';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { Inbox } from '../helpers/clients/event-inbox.ts';
import { get, post, send, signed, startExample } from '../helpers/http.ts';
import { type LogLine, recordLog } from '../helpers/log.ts';
import { app } from '../packages/vectors.ts';

const EVENT = { name: 'e', channel: 'c', data: 'x' };

describe('paths', () => {
  test.each(['', '/real-time'])('of health, behind the prefix "%s"', async (pathPrefix) => {
    const broker = await startExample({ config: { pathPrefix } });
    expect(await send(broker, { target: `${pathPrefix}/health` })).toMatchObject({
      status: 200,
      text: '{"status":"ok"}',
    });
    expect(await send(broker, { target: `${pathPrefix}/ready` })).toMatchObject({ status: 200 });
    expect(await send(broker, { method: 'HEAD', target: `${pathPrefix}/ready` })).toMatchObject({
      status: 200,
      text: '',
    });
  });

  test.each([
    ['GET', '/apps/3/events', 'POST'],
    ['PUT', '/apps/3/batch_events', 'POST'],
    ['DELETE', '/apps/3/users/7/terminate_connections', 'POST'],
    ['POST', '/apps/3/channels', 'GET, HEAD'],
    ['PATCH', '/apps/3/channels/a', 'GET, HEAD'],
    ['OPTIONS', '/apps/3/channels/presence-a/users', 'GET, HEAD'],
    ['POST', '/health', 'GET, HEAD'],
    ['POST', '/ready', 'GET, HEAD'],
  ])('are not asked with %s: %s', async (method, target, allowed) => {
    const answer = await send(await startExample(), { method, target });
    expect(answer.text).toBe(
      `{"error":"This path cannot be asked with ${method}: use ${allowed}","status":405,"code":"method_not_allowed"}`,
    );
    expect(answer).toMatchObject({
      status: 405,
      headers: { allow: allowed, 'content-type': 'application/json' },
    });
  });

  test.each([
    ['GET', '/'],
    ['GET', '/apps'],
    ['GET', '/apps/3'],
    ['POST', '/apps/3'],
    ['POST', '/apps/3/'],
    ['POST', '/apps/3/event'],
    ['POST', '/apps/3/events/more'],
    ['POST', '/apps/3/channels/c/event'],
    ['GET', '/apps/3/channels/c/stats'],
    ['GET', '/apps/3/constructor'],
    ['POST', '/apps/3/__proto__'],
    ['POST', '/users/7/terminate_connections'],
  ])('that do not exist are answered as such: %s %s', async (method, target) => {
    const answer = await send(await startExample(), { method, target });
    expect(answer.text).toBe(
      `{"error":"Nothing is at \\"${target}\\": docs/http-api.md has the paths","status":404,"code":"path_not_found"}`,
    );
    expect(answer).toMatchObject({ status: 404, headers: { 'content-type': 'application/json' } });
  });

  test('a HEAD is signed as such, and answered like a GET without its body', async () => {
    const answer = await send(await startExample(), signed({ method: 'HEAD', path: '/apps/3/channels' }));
    expect(answer).toMatchObject({ status: 200, text: '', headers: { 'content-length': '15' } });
  });

  test('may be added to', async () => {
    const routes = (more: express.Express) => {
      more.post('/more', express.json(), (request, response) => void response.json({ got: request.body }));
    };
    const broker = await startExample({ parts: { routes } });
    const headers = { 'Content-Type': 'application/json' };
    const more = (body: string) => send(broker, { method: 'POST', target: '/more', body, headers });
    expect(await more('{"a":1}')).toMatchObject({ status: 200, text: '{"got":{"a":1}}' });
    expect(await more('{"a"')).toMatchObject({
      status: 400,
      headers: { 'content-type': 'application/json' },
    });
  });
});

test('a disabled app is answered with 403, once it has proved who it is', async () => {
  const broker = await startExample({ app: { enabled: false } });
  for (const answer of [await get(broker, 'channels'), await post(broker, 'events', EVENT)]) {
    expect(answer.text).toBe(
      '{"error":"The app is disabled: enable it in the configuration of the broker","status":403,"code":"app_disabled"}',
    );
    expect(answer.status).toBe(403);
  }
  expect(await send(broker, { target: '/apps/3/channels' })).toMatchObject({ status: 401 });
});

describe('each answer', () => {
  test('carries a request id, under which the log has the outcome and no signature', async () => {
    const { log, lines } = recordLog();
    const broker = await startExample({ parts: { log } });
    const accepted = await post(broker, 'events', EVENT);
    const { target } = signed({ path: '/apps/3/channels', secret: 'another-secret' });
    const refused = await send(broker, { target });
    const lineOf = ({ headers }: typeof refused) =>
      lines.find((line) => line['requestId'] === headers['x-request-id']);
    expect(lineOf(accepted)).toMatchObject({
      level: 20,
      msg: 'request answered',
      method: 'POST',
      path: '/apps/3/events',
      status: 200,
    });
    expect(lineOf(refused)).toMatchObject({
      level: 30,
      msg: 'request refused',
      method: 'GET',
      path: '/apps/3/channels',
      status: 401,
      reason: refused.error,
    });
    const signature = target.slice(-64);
    expect(JSON.stringify(lines)).not.toContain(signature);
    expect(JSON.stringify(lines)).not.toContain(app.secret);
    expect(refused.error).not.toContain(signature);
  });

  test('has a request id of its own', async () => {
    const broker = await startExample();
    const ids = await Promise.all(
      Array.from({ length: 20 }, async () => (await get(broker, 'channels')).headers['x-request-id']),
    );
    expect(new Set(ids).size).toBe(20);
  });

  test('says nothing of what failed inside, which the log does', async () => {
    const { log, lines } = recordLog();
    const broker = await startExample({ parts: { log, adapter: new BrokenAdapter() } });
    for (const answer of [await post(broker, 'events', EVENT), await get(broker, 'channels')]) {
      expect(answer.text).toBe(
        '{"error":"Something went wrong in the broker: its log tells what, under X-Request-Id","status":500,"code":"internal_error"}',
      );
      const line = lines.find(({ requestId }) => requestId === answer.headers['x-request-id']);
      expect(line).toMatchObject({
        level: 50,
        msg: 'request failed',
        err: { message: 'the network is down' },
      });
    }
  });
});

/** A single node's adapter whose network is down. */
class BrokenAdapter extends MemoryAdapter implements Adapter {
  constructor() {
    super();
    const fail = () => Promise.reject(new Error('the network is down'));
    this.bus.publish = fail;
    this.roster.channels = fail;
  }
}

describe('a client', () => {
  test('that goes away in the middle of a body harms nobody, and is logged', async () => {
    const lines = new Inbox<LogLine>('a line of the log');
    const log = pino({ level: 'debug' }, { write: (line) => lines.put(JSON.parse(line)) });
    const broker = await startExample({ parts: { log } });
    const socket = createConnection(broker.port, broker.host);
    socket.write('POST /apps/3/events HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"na', () =>
      socket.destroy(),
    );
    await lines.until(({ msg }) => msg === 'client went away');
    expect(await post(broker, 'events', EVENT)).toMatchObject({ status: 200 });
  });

  test.each([
    ['h2c', { Connection: 'Upgrade, HTTP2-Settings', 'HTTP2-Settings': 'AAMAAABkAAQAAP__' }],
    ['TLS/1.2', { Connection: 'upgrade' }],
  ])('may offer %s, which is not taken', async (upgrade, others) => {
    const broker = await startExample({ config: { metrics: { port: 0 } } });
    const headers = { Upgrade: upgrade, ...others };
    const request = signed({ path: '/apps/3/events', body: JSON.stringify(EVENT) });
    expect(await send(broker, { ...request, headers })).toMatchObject({ status: 200, text: '{}' });
    expect(await send(broker, { target: '/health', headers })).toMatchObject({ status: 200 });
    const port = Number(new URL(String(broker.metricsUrl)).port);
    expect(await send({ ...broker, port }, { target: '/metrics', headers })).toMatchObject({ status: 200 });
  });

  test('that offers another protocol has its body read to the end, and may send more requests', async () => {
    const broker = await startExample();
    const body = JSON.stringify(EVENT);
    const { target } = signed({ path: '/apps/3/events', body });
    const offer = 'Host: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n';
    const socket = createConnection(broker.port, broker.host);
    socket.write(
      `POST ${target} HTTP/1.1\r\n${offer}Expect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    expect(String((await once(socket, 'data'))[0])).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    socket.write(body);
    expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 200 OK/);
    socket.write(`GET /health HTTP/1.1\r\n${offer}\r\n`);
    expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 200 OK/);
    socket.destroy();
  });

  test('that offers another protocol without waiting is answered in order', async () => {
    const broker = await startExample();
    const { target } = signed({ path: '/apps/3/channels' });
    const offering = (path: string, more = '') =>
      `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: ${more}Upgrade\r\nUpgrade: h2c\r\n\r\n`;
    for (let count = 0; count < 20; count += 1) {
      const socket = createConnection(broker.port, broker.host);
      socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n`);
      socket.write(offering('/health') + offering(target) + offering('/ready', 'close, '));
      let text = '';
      for await (const part of socket) text += part;
      expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual([200, 404, 200, 200, 200].map((s) => `HTTP/1.1 ${s}`));
      expect(text.match(/\{"(channels|status)":.*\}/g)).toEqual([
        '{"channels":{}}',
        '{"status":"ok"}',
        '{"channels":{}}',
        '{"status":"ready"}',
      ]);
    }
  });

  test('may send many requests on one connection without waiting', async () => {
    const broker = await startExample();
    const { target } = signed({ path: '/apps/3/channels' });
    const socket = createConnection(broker.port, broker.host);
    socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(9));
    socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    let text = '';
    for await (const part of socket) text += part;
    expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(10);
    expect(text.match(/\{"channels":\{\}\}/g)).toHaveLength(10);
  });
});

test('a request in progress is answered while the broker drains, and its connection ends', async () => {
  const broker = await startExample();
  const body = JSON.stringify(EVENT);
  const { target } = signed({ path: '/apps/3/events', body });
  const socket = createConnection(broker.port, broker.host);
  const headers = `Host: x\r\nContent-Length: ${body.length}\r\nExpect: 100-continue`;
  socket.write(`POST ${target} HTTP/1.1\r\n${headers}\r\n\r\n`);
  const [begun] = await once(socket, 'data'); // the broker has the request and waits for its body
  expect(String(begun)).toBe('HTTP/1.1 100 Continue\r\n\r\n');
  const drained = broker.drain();
  socket.write(body);
  let text = '';
  for await (const part of socket) text += part;
  await drained;
  expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(text).toContain('\r\nConnection: close\r\n');
});

test('a plain request to the path of the WebSocket is told what a proxy may have taken away', async () => {
  const broker = await startExample();
  for (const headers of [{}, { Upgrade: 'h2c', Connection: 'Upgrade' }]) {
    const request = httpRequest(`${broker.url}/app/key?protocol=7`, { headers }).end();
    const [response] = await once(request, 'response');
    let body = '';
    for await (const chunk of response) body += chunk;
    expect(response.statusCode).toBe(426);
    expect(response.headers).toMatchObject({ upgrade: 'websocket', connection: 'Upgrade' });
    expect(JSON.parse(body)).toEqual({
      error: expect.stringMatching(
        /^This path takes WebSockets only, .* passes on the headers Upgrade and Connection$/,
      ),
      status: 426,
      code: 'upgrade_required',
    });
  }
});
