import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { channelText, sign } from '@countersign/sdk-server/signature';
import { type Broker, createServer } from '@countersign/server';
import { describe, expect, test } from 'vitest';
import { publish } from '../helpers/api.ts';
import { startCli } from '../helpers/brokers/cli.ts';
import { APP, configOf, OTHER_APP, startServer } from '../helpers/brokers/server.ts';
import { authorize, connect, open } from '../helpers/clients/client.ts';
import { startLivePage, Visitor } from '../helpers/console.ts';
import { newFolder } from '../helpers/folder.ts';
import { send } from '../helpers/http.ts';
import { recordLog } from '../helpers/log.ts';

const DIST = new URL('../../server/dist/console/page/', import.meta.url);

describe('a session', () => {
  test('starts with the key and secret of an app, and its cookie contains no secret', async () => {
    const visitor = new Visitor(await startServer());
    expect(await visitor.ask('GET', 'session')).toMatchObject({ status: 401 });
    const { status, body, headers } = await visitor.signIn();
    expect(status).toBe(200);
    expect(body).toMatchObject({ app: { id: APP.id, keys: [APP.key] }, signOut: true });
    const cookie = headers.get('set-cookie') ?? '';
    expect(cookie).toMatch(/; Path=\/console; HttpOnly; SameSite=Strict$/);
    expect(Buffer.from(cookie.slice(cookie.indexOf('=') + 1), 'base64url').toString()).not.toContain(
      APP.secret,
    );
    expect(await visitor.ask('GET', 'session')).toMatchObject({ status: 200, body: { app: { id: APP.id } } });
  });

  test('ends at the sign-out, for every copy of the cookie', async () => {
    const broker = await startServer();
    const visitor = new Visitor(broker);
    await visitor.signIn();
    const other = new Visitor(broker);
    await other.signIn();
    const { cookie } = visitor;
    await visitor.ask('DELETE', 'session');
    expect(visitor.cookie).toBe('countersign-console=');
    visitor.cookie = cookie;
    expect(await visitor.ask('GET', 'session')).toMatchObject({ status: 401 });
    const event = { name: 'hello', channel: 'news', data: '' };
    expect(await visitor.ask('POST', 'events', event)).toMatchObject({ status: 401 });
    expect(await other.ask('GET', 'session')).toMatchObject({ status: 200 });
  });

  test('ends with the live data of its pages, which cannot subscribe again', async () => {
    const broker = await startServer();
    const page = await startLivePage(broker);
    const other = await startLivePage(broker);
    const { cookie } = page.visitor;
    const again = await page.grant(broker);
    await page.visitor.ask('DELETE', 'session');
    expect(await page.evicted()).toMatchObject({ event: 'pusher:subscription_error' });
    page.visitor.cookie = cookie;
    expect(await page.visitor.ask('POST', 'watch', {})).toMatchObject({ status: 401 });
    expect(await again()).toMatchObject({ event: 'pusher:subscription_error' });
    await other.next(({ name }) => name === 'figures');
  });

  test('ends after 12 hours of activity, with the live data of its pages', async () => {
    let time = Date.now();
    const broker = await startServer({ parts: { now: () => time } });
    const page = await startLivePage(broker);
    for (let hours = 0; hours < 12; hours += 0.25) {
      expect(await page.watch()).toMatchObject({ status: 200 });
      time += 15 * 60_000;
    }
    expect(await page.watch()).toMatchObject({ status: 401 });
    const late = new Visitor(broker);
    await late.signIn();
    await late.ask('POST', 'watch', {});
    expect(await page.evicted()).toMatchObject({ event: 'pusher:subscription_error' });
  });

  test('starts at most sixty times per minute for one app', async () => {
    const visitor = new Visitor(await startServer());
    for (let n = 0; n < 60; n += 1) expect((await visitor.signIn()).status).toBe(200);
    expect((await visitor.signIn()).status).toBe(429);
  });

  test('is refused with the same text for a wrong secret, an unknown key and the secret of another app', async () => {
    const { log, lines } = recordLog('warn');
    const visitor = new Visitor(await startServer({ parts: { log } }));
    const wrong = [
      { key: APP.key, secret: 'wrong' },
      { key: 'unknown', secret: APP.secret },
      { key: 'unknown', secret: '' },
      { key: APP.key, secret: OTHER_APP.secret },
    ];
    for (const credentials of wrong) {
      expect(await visitor.signIn(credentials)).toMatchObject({
        status: 401,
        body: { error: 'This key and secret do not match' },
      });
    }
    expect(visitor.cookie).toBe('');
    expect(lines.map(({ msg }) => msg)).toEqual(wrong.map(() => 'console sign-in refused'));
    expect(JSON.stringify(lines)).not.toContain(OTHER_APP.secret);
  });

  test('is refused after ten failures from one address, for the right secret, too; successes do not count', async () => {
    const visitor = new Visitor(await startServer());
    for (let n = 0; n < 15; n += 1) expect((await visitor.signIn()).status).toBe(200);
    for (let n = 0; n < 10; n += 1)
      expect((await visitor.signIn({ key: APP.key, secret: `guess-${n}` })).status).toBe(401);
    const { status, headers } = await visitor.signIn();
    expect(status).toBe(429);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  });

  test('lasts half an hour after the last request', async () => {
    let time = Date.now();
    const visitor = new Visitor(await startServer({ parts: { now: () => time } }));
    await visitor.signIn();
    for (let n = 0; n < 3; n += 1) {
      time += 29 * 60_000;
      expect((await visitor.ask('GET', 'session')).status).toBe(200);
    }
    time += 30 * 60_000;
    expect((await visitor.ask('GET', 'session')).status).toBe(401);
  });

  test('is refused for a forged or changed cookie', async () => {
    const broker = await startServer();
    const visitor = new Visitor(broker);
    await visitor.signIn();
    const [name, value = ''] = visitor.cookie.split('=', 2);
    const [text = '', signature = ''] = value.split('.');
    const time = Date.now() + 1e9;
    const ticket = [OTHER_APP.id, OTHER_APP.key, `${time}-0`, time];
    const other = Buffer.from(JSON.stringify(ticket)).toString('base64url');
    for (const forged of [
      `${other}.${signature}`,
      `${text}.${sign(APP.secret, text)}`,
      `${text}.${sign(APP.secret, `console session\n${text}`)}`,
      `${text}.${sign(APP.secret, `console session\n\n${text}`)}`,
      `${text}.`,
      `${text}`,
      '.',
      `${Buffer.from('["__proto__"]').toString('base64url')}.${signature}`,
    ]) {
      visitor.cookie = `${name}=${forged}`;
      expect((await visitor.ask('GET', 'session')).status, forged).toBe(401);
    }
  });

  test('ends when the secret of its key changes, and live connections are closed', async () => {
    const broker = await startServer();
    const visitor = new Visitor(broker);
    const { body } = await visitor.signIn();
    const { key } = body['live'] as { key: string };
    const client = await open(broker, `/app/${key}?protocol=7`).established();
    broker.reload(configOf({ app: { keys: [{ key: APP.key, secret: 'another secret' }] } }).apps);
    expect(await visitor.ask('GET', 'session')).toMatchObject({ status: 401 });
    expect(await client.closed()).toMatchObject({ code: 4001 });
  });

  test('survives a restart with the same data, and so does its end', async () => {
    const data = newFolder();
    const first = await createServer(configOf({ config: { data } }));
    const [visitor, gone] = [new Visitor(first), new Visitor(first)];
    const { body } = await visitor.signIn();
    await gone.signIn();
    const { cookie } = gone;
    await gone.ask('DELETE', 'session');
    await first.close();
    const second = await startServer({ config: { data } });
    const later = new Visitor(second);
    later.cookie = visitor.cookie;
    expect((await later.ask('GET', 'session')).body).toEqual(body);
    later.cookie = cookie;
    expect((await later.ask('GET', 'session')).status).toBe(401);
  });

  test('ends at a restart that does not know which sessions have ended', async () => {
    const visitor = new Visitor(await startServer());
    await visitor.signIn();
    const other = new Visitor(await startServer());
    other.cookie = visitor.cookie;
    expect((await other.ask('GET', 'session')).status).toBe(401);
  });
});

describe('a console refuses', () => {
  test('requests of other sites, which cannot send the header', async () => {
    const visitor = new Visitor(await startServer());
    await visitor.signIn();
    for (const [method, path] of [
      ['GET', 'session'],
      ['POST', 'session'],
      ['POST', 'events'],
    ] as const)
      expect((await visitor.ask(method, path, undefined, {})).status).toBe(403);
  });

  test('requests through a proxy without TLS, or under another name', async () => {
    const broker = await startServer();
    const visitor = new Visitor(broker);
    const own = { 'X-Countersign-Console': '1' };
    for (const forwarded of [
      { 'X-Forwarded-For': '203.0.113.9' },
      { 'X-Forwarded-Proto': 'https' },
      { Forwarded: 'for=203.0.113.9;proto=https' },
      { Via: '1.1 proxy' },
      { 'X-Real-IP': '203.0.113.9' },
    ] as Record<string, string>[]) {
      expect((await visitor.get('', forwarded)).status).toBe(403);
      const credentials = { key: APP.key, secret: APP.secret };
      expect(await visitor.page('POST', 'session', credentials, { ...own, ...forwarded })).toBe(403);
    }
    const headers = { Host: 'countersign.internal', ...own };
    expect((await send(broker, { target: '/console/', headers })).status).toBe(403);
    expect(visitor.cookie).toBe('');
  });

  test('requests without TLS to another host than loopback, unless a trusted proxy has TLS', async () => {
    const broker = await startServer({ config: { host: '0.0.0.0', trustProxy: ['loopback'] } });
    const visitor = new Visitor({ url: `http://127.0.0.1:${broker.port}` });
    const refused = await visitor.get();
    expect(refused.status).toBe(403);
    expect(await refused.text()).toContain('The console needs TLS');
    expect((await visitor.get('api/session')).status).toBe(403);
    const secure = { 'X-Forwarded-Proto': 'https' };
    expect((await visitor.get('', secure)).status).toBe(200);
    const headers = { ...secure, 'X-Countersign-Console': '1' };
    const answer = await visitor.ask('POST', 'session', { key: APP.key, secret: APP.secret }, headers);
    expect(answer.headers.get('set-cookie')).toMatch(/; Secure/);
  });

  test('connections with the key of the live data to any other channel and any other app', async () => {
    const broker = await startServer();
    const visitor = new Visitor(broker);
    const { body } = await visitor.signIn();
    const { key } = body['live'] as { key: string };
    for (const guess of [
      key.slice(0, -1),
      `${key}0`,
      key.replace(APP.id, OTHER_APP.id),
      key.replace(APP.id, 'no-such-app'),
    ])
      expect(await open(broker, `/app/${guess}?protocol=7`).closed()).toMatchObject({ code: 4001 });
  });

  test('subscriptions to live data with the session of another app', async () => {
    const broker = await startServer();
    const visitor = new Visitor(broker);
    await visitor.signIn();
    const ask = (channel_name: string, socket_id = '1.2') =>
      visitor.ask('POST', 'live', String(new URLSearchParams({ socket_id, channel_name })));
    expect(await ask(`presence-console-${OTHER_APP.id}`)).toMatchObject({ status: 403 });
    expect(await ask(`presence-console-${APP.id}`, '1.2:x')).toMatchObject({ status: 403 });
    expect(await ask(`presence-console-${APP.id}`)).toMatchObject({ status: 200 });
  });
});

describe('the pages', () => {
  test('have a strict policy, and only the probe may connect to other hosts', async () => {
    const visitor = new Visitor(await startServer());
    const [page, probe] = [await visitor.get(), await visitor.get('probe')];
    const policy = page.headers.get('content-security-policy');
    expect(policy).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'none'; " +
        "frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; connect-src 'self'",
    );
    expect(probe.headers.get('content-security-policy')).toBe(`${policy} http: https:`);
    expect(await probe.text()).toBe(await page.text());
  });

  test('are found without the slash, and below a path prefix', async () => {
    const broker = await startServer({ config: { pathPrefix: '/realtime' } });
    const answer = await fetch(`${broker.url}/realtime/console`, { redirect: 'manual' });
    expect([answer.status, answer.headers.get('location')]).toEqual([308, '/realtime/console/']);
    const visitor = new Visitor(broker, '/realtime');
    expect((await visitor.get()).status).toBe(200);
    expect((await visitor.signIn()).headers.get('set-cookie')).toMatch(/Path=\/realtime\/console;/);
  });

  test('weigh less than 60 KiB compressed', () => {
    const files = ['index.html', ...readdirSync(new URL('assets/', DIST)).map((name) => `assets/${name}`)];
    const sizes = files.map((name) => gzipSync(readFileSync(new URL(name, DIST))).length);
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(60 * 1024);
  });

  test('are absent when the console is off', async () => {
    const broker = await startServer({ config: { console: false } });
    for (const target of ['/console', '/console/', '/console/api/session'])
      expect((await send(broker, { target })).status).toBe(404);
  });

  test('need no sign-in with countersign dev, under the names of loopback only', async () => {
    const cli = startCli(['dev', '--port', '0']);
    const url = /http:\S+(?=\/)/.exec(await cli.line('  page '))?.[0] ?? '';
    const visitor = new Visitor({ url });
    expect(await visitor.ask('GET', 'session')).toMatchObject({
      body: { app: { id: '1' }, signOut: false },
    });
    const { hostname: host, port } = new URL(url);
    const target = '/console/api/session';
    const headers = { Host: 'rebound.example', 'X-Countersign-Console': '1' };
    const answer = await send({ host, port: Number(port) } as Broker, { target, headers });
    expect(answer.status).toBe(403);
  });
});

describe('live data', () => {
  test('has the counts of the app, and comes only while a page watches', async () => {
    const broker = await startServer();
    const page = await startLivePage(broker);
    const client = await connect(broker);
    await client.join('news');
    const figures = await page.next(({ data }) => data['connections'] === 1 && data['channels'] === 1);
    expect(figures).toMatchObject({ messagesIn: 1, publishes: 0, refusals: 0 });
    await publish(broker, 'news', 'hello', '{}');
    await page.next(({ data }) => data['publishes'] === 1);
  });

  test('stops half a minute after the last request of a page', async () => {
    let ms = 0;
    const broker = await startServer({ parts: { monotonic: () => ms } });
    const page = await startLivePage(broker);
    ms += 26_000;
    await connect(broker);
    await page.watch();
    const seen = await connect(broker);
    expect(await page.entry('connected')).toMatchObject({ socketId: seen.socketId });
  });

  test('has a line for each connect, disconnect, sign-in and subscription', async () => {
    const broker = await startServer();
    const page = await startLivePage(broker);
    const client = await connect(broker);
    const { socketId } = client;
    expect(await page.entry('connected')).toMatchObject({
      socketId,
      key: APP.key,
      client: 'test/1.0',
      address: '127.0.0.1',
    });
    await client.join('presence-room', { user_id: 'ann' });
    expect(await page.entry('subscribed')).toMatchObject({
      socketId,
      channel: 'presence-room',
      userId: 'ann',
    });
    client.unsubscribe('presence-room');
    expect(await page.entry('unsubscribed')).toMatchObject({ socketId, channel: 'presence-room' });
    await client.signIn({ id: 'ann' });
    expect(await page.entry('signedIn')).toMatchObject({ socketId, userId: 'ann' });
    client.send('{');
    expect(await page.entry('messageRefused')).toMatchObject({ socketId });
    client.socket.close(3456, 'enough');
    expect(await page.entry('disconnected')).toMatchObject({ socketId, code: 3456, reason: 'enough' });
  });

  test('explains a refused subscription by the signed text', async () => {
    const broker = await startServer();
    const before = await connect(broker);
    const page = await startLivePage(broker);
    const client = await connect(broker);
    client.subscribe('private-room', { auth: authorize(before.socketId, 'private-room') });
    expect(await page.entry('subscriptionRefused')).toMatchObject({
      socketId: client.socketId,
      channel: 'private-room',
      reason: 'Invalid signature',
      diagnosis: {
        valid: false,
        signed: channelText(before.socketId, 'private-room'),
        expected: channelText(client.socketId, 'private-room'),
      },
    });
  });

  test('diagnoses refusals in the background: no client waits, whatever was sent', async () => {
    const { log, lines } = recordLog('warn');
    const broker = await startServer({ parts: { log } });
    await Promise.all(Array.from({ length: 200 }, () => connect(broker)));
    const page = await startLivePage(broker);
    const delay = monitorEventLoopDelay({ resolution: 5 });
    const client = await connect(broker);
    delay.enable();
    const auth = `${APP.key}:${'0'.repeat(64)}`;
    for (const [n, filler] of [
      '['.repeat(1500) + ']'.repeat(1500),
      '"x"',
      `"${'x'.repeat(60_000)}"`,
    ].entries()) {
      const channel_data = `{"user_id":"7","a":${filler}}`;
      client.subscribe(`presence-${n}`, { auth, channel_data });
      expect(await client.nextMessage()).toMatchObject({ event: 'pusher:subscription_error' });
      expect(await page.entry('subscriptionRefused')).toMatchObject({ diagnosis: { valid: false } });
    }
    delay.disable();
    expect(delay.percentile(90) / 1e6).toBeLessThan(100);
    expect(lines).toEqual([]);
  });

  test('explains a refused sign-in, and a refused request', async () => {
    const broker = await startServer();
    const page = await startLivePage(broker);
    const client = await connect(broker);
    const userData = '{"id":"ann"}';
    const auth = `${APP.key}:${sign(APP.secret, `${client.socketId}:${userData}`)}`;
    client.send({ event: 'pusher:signin', data: { auth, user_data: userData } });
    expect(await page.entry('signInRefused')).toMatchObject({
      diagnosis: { expected: `${client.socketId}::user::${userData}` },
    });
    const query = `auth_key=${APP.key}&auth_timestamp=1&auth_version=1.0&auth_signature=${'0'.repeat(64)}`;
    await send(broker, { target: `/apps/${APP.id}/channels?${query}` });
    expect(await page.entry('requestRefused')).toMatchObject({
      method: 'GET',
      path: `/apps/${APP.id}/channels`,
      status: 401,
      reason: expect.stringMatching(/^Timestamp expired: Given timestamp \(1\)/),
    });
  });

  test('has the subscribers of an open channel', async () => {
    const broker = await startServer();
    const page = await startLivePage(broker);
    const client = await connect(broker);
    await client.join('presence-room', { user_id: 'ann' });
    await page.watch('presence-room');
    expect(await page.next(({ name }) => name === 'subscribers')).toMatchObject({
      channel: 'presence-room',
      total: 1,
      subscribers: [{ socketId: client.socketId, userId: 'ann', client: 'test/1.0', address: '127.0.0.1' }],
    });
  });

  test('counts the signatures of each key', async () => {
    const broker = await startServer();
    const page = await startLivePage(broker);
    const client = await connect(broker);
    await client.join('private-room');
    await client.signIn({ id: 'ann' });
    await publish(broker, 'private-room', 'hello', '{}');
    const key = { key: APP.key, channels: 1, users: 1, requests: 1, lastHour: 3 };
    const figures = await page.next(
      ({ data }) => (data['keys'] as { lastHour?: number }[] | undefined)?.[0]?.lastHour === 3,
    );
    expect(figures['keys']).toMatchObject([key]);
  });

  test('the built-in app is in no metric, list or quota', async () => {
    const broker = await startServer({ limits: { connections: 1 } });
    const page = await startLivePage(broker);
    const client = await connect(broker);
    await client.join('news');
    const metrics = await (await fetch(broker.metricsUrl!)).text();
    expect(metrics).not.toMatch(/console/);
    expect((await page.visitor.ask('GET', 'channels')).body).toMatchObject({ total: 1 });
  });
});

describe('the console may do what its app may', () => {
  test('nothing, when it is disabled', async () => {
    const broker = await startServer();
    const visitor = new Visitor(broker);
    await visitor.signIn();
    broker.reload(configOf({ app: { enabled: false } }).apps);
    for (const [method, path] of [
      ['GET', 'session'],
      ['GET', 'channels'],
      ['GET', 'webhooks'],
      ['POST', 'watch'],
      ['POST', 'events'],
      ['POST', 'session'],
    ] as const) {
      const body = method === 'GET' ? undefined : { name: 'a', channel: 'news', data: '', ...APP };
      expect([path, (await visitor.ask(method, path, body)).status]).toEqual([path, 403]);
    }
  });

  test('as many requests as the HTTP API, with which it shares them', async () => {
    const broker = await startServer({ limits: { httpRequestsPerSecond: 1 }, parts: { now: () => 1e12 } });
    const visitor = new Visitor(broker);
    await visitor.signIn();
    const event = { name: 'hello', channel: 'news', data: '' };
    expect((await visitor.ask('POST', 'events', event)).status).toBe(200);
    for (const [method, path, body] of [
      ['POST', 'events', event],
      ['GET', 'channels', undefined],
      ['GET', 'channel?name=news', undefined],
      ['GET', 'webhooks', undefined],
      ['POST', 'proof', { socketId: '1.2', channel: 'private-a', auth: '' }],
    ] as const)
      expect([path, (await visitor.ask(method, path, body)).status]).toEqual([path, 429]);
    expect((await visitor.ask('POST', 'watch', {})).status).toBe(200);
    const metrics = await (await fetch(broker.metricsUrl!)).text();
    expect(metrics).toContain('countersign_publishes_total{app="app-1",code="429"} 1');
  });
});

describe('a page can request', () => {
  test('the occupied channels by prefix, and one of them', async () => {
    const broker = await startServer();
    const client = await connect(broker);
    await client.join('presence-cache-room', { user_id: 'ann', user_info: { name: 'Ann' } });
    await client.join('news');
    await publish(broker, 'presence-cache-room', 'kept', '{"a":1}');
    const visitor = new Visitor(broker);
    await visitor.signIn();
    expect((await visitor.ask('GET', 'channels?prefix=presence-')).body).toEqual({
      total: 1,
      channels: [{ name: 'presence-cache-room', kind: 'presence', subscriptions: 1, members: 1 }],
    });
    expect((await visitor.ask('GET', 'channels?contains=cache')).body).toMatchObject({ total: 1 });
    expect((await visitor.ask('GET', 'channels?prefix=new&contains=cache')).body).toMatchObject({ total: 0 });
    expect((await visitor.ask('GET', 'channel?name=presence-cache-room')).body).toEqual({
      name: 'presence-cache-room',
      kind: 'presence',
      cache: true,
      subscriptions: 1,
      members: [{ id: 'ann', info: { name: 'Ann' } }],
      last: { name: 'kept', data: '{"a":1}', ttlSeconds: 1800 },
    });
    expect((await visitor.ask('GET', 'channel?name=no%20channel')).status).toBe(400);
    expect((await visitor.ask('GET', 'channel?name=%23server-to-user-ann')).status).toBe(400);
  });

  test('a publish, by the rules of the HTTP API', async () => {
    const broker = await startServer();
    const client = await connect(broker);
    await client.join('news');
    const visitor = new Visitor(broker);
    await visitor.signIn();
    await visitor.ask('POST', 'events', { name: 'hello', channel: 'news', data: '{"a":1}' });
    expect(await client.next()).toBe('{"event":"hello","channel":"news","data":"{\\"a\\":1}"}');
    expect(
      (await visitor.ask('POST', 'events', { name: 'hello', channel: 'no channel', data: '' })).status,
    ).toBe(400);
  });

  test('a signed curl command, which works and contains no secret', async () => {
    const broker = await startServer();
    const client = await connect(broker);
    await client.join('news');
    const visitor = new Visitor(broker);
    await visitor.signIn();
    const body = JSON.stringify({ name: "it's", channel: 'news', data: '{"text":"$(id) `x` \'y\'"}' });
    const answer = await visitor.ask('POST', 'curl', { origin: broker.url, body });
    const { line } = answer.body as { line: string };
    expect(line).not.toContain(APP.secret);
    const { stdout } = await promisify(execFile)('sh', ['-c', line]);
    expect(stdout).toBe('{}');
    expect(await client.nextMessage()).toMatchObject({ event: "it's", data: '{"text":"$(id) `x` \'y\'"}' });
  });

  test('the diagnosis of a proof', async () => {
    const broker = await startServer();
    const visitor = new Visitor(broker);
    await visitor.signIn();
    const proof = { socketId: '1.2', channel: 'private-a', auth: authorize('1.2', 'private-a') };
    expect((await visitor.ask('POST', 'proof', proof)).body).toMatchObject({ valid: true });
    expect((await visitor.ask('POST', 'proof', { ...proof, channel: 'private-b' })).body).toMatchObject({
      valid: false,
      expected: '1.2:private-b',
    });
  });
});
