import { channelText, sign } from '@countersign/sdk-server/signature';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type Cli, startCli } from '../helpers/brokers/cli.ts';
import { TestClient } from '../helpers/clients/client.ts';
import { send } from '../helpers/http.ts';

let cli: Cli;
let url: string;
let secret: string;

beforeEach(async () => {
  cli = startCli(['dev', '--port', '0']);
  url = (await cli.line('  page ')).replace(/ +page +(.*)\/$/, '$1');
  secret = await secretOf(cli);
});

async function secretOf(dev: Cli): Promise<string> {
  return (await dev.line('  secret ')).replace(/ +secret +/, '');
}

async function subscriber(channel: string): Promise<TestClient> {
  const client = new TestClient(`${url.replace('http', 'ws')}/app/dev-key?protocol=7`);
  onTestFinished(() => client.close());
  await client.established();
  client.subscribe(channel);
  await client.next();
  return client;
}

const HELLO = { event: 'hello', channel: 'news', data: '{"text":"hi"}' };

async function nextEvent(client: TestClient): Promise<unknown> {
  const received = await client.until((text) => typeof text === 'string' && text.includes('"hello"'));
  return JSON.parse(String(received.at(-1)));
}

describe('countersign dev', () => {
  test('prints where it is and its credentials', async () => {
    expect(await cli.line('  socket ')).toBe(`  socket   ${url.replace('http', 'ws')}/app/dev-key`);
    expect(await cli.line('  app id ')).toBe('  app id   1');
    expect(await cli.line('  key ')).toBe('  key      dev-key');
    expect(secret).toMatch(/^[0-9a-f]{64}$/);
  });

  test('has another secret at each start, unless one is given', async () => {
    const given = 'a4c1d0f7e2b94c5f8f1b';
    const env = { COUNTERSIGN_DEV_SECRET: given };
    expect(await secretOf(startCli(['dev', '--port', '0']))).not.toBe(secret);
    expect(await secretOf(startCli(['dev', '--port', '0', '--secret', given]))).toBe(given);
    expect(await secretOf(startCli(['dev', '--port', '0'], { env }))).toBe(given);
  });

  test('prints a curl line that publishes', async () => {
    const client = await subscriber('news');
    const line = await cli.line('/dev/publish');
    const [, contentType = '', body = '', target = ''] =
      /^ +curl -H 'Content-Type: (.+)' -d '(.+)' (\S+)$/.exec(line) ?? [];
    const headers = { 'Content-Type': contentType };
    expect((await fetch(target, { method: 'POST', headers, body })).status).toBe(200);
    expect(await nextEvent(client)).toEqual(HELLO);
  });

  test('prints how to sign a request', async () => {
    await cli.line('&auth_signature=$signature');
    expect(cli.stdout).toContain(`
  body='{"name":"hello","channels":["news"],"data":"{\\"text\\":\\"hi\\"}"}'
  query="auth_key=dev-key&auth_timestamp=$(date +%s)&auth_version=1.0&body_md5=$(printf %s "$body" | openssl md5 -r | cut -c 1-32)"
  signature=$(printf 'POST\\n/apps/1/events\\n%s' "$query" | openssl dgst -sha256 -hmac ${secret} -r | cut -c 1-64)
  curl -H 'Content-Type: application/json' -d "$body" "${url}/apps/1/events?$query&auth_signature=$signature"
`);
  });
});

describe('countersign dev answers this machine and its pages only', () => {
  const ask = (method: string, target: string, headers: Record<string, string>) => {
    const { hostname: host, port } = new URL(url);
    return send(
      { host, port: Number(port) },
      { method, target, headers, body: method === 'POST' ? '{}' : '' },
    );
  };
  const EVERYTHING: readonly (readonly [method: string, target: string])[] = [
    ['GET', '/'],
    ['GET', '/dev/page.js'],
    ['GET', '/dev/snippets'],
    ['POST', '/dev/broken/secret/auth'],
    ['POST', '/dev/broken/clock'],
    ['POST', '/dev/publish'],
    ['POST', '/countersign/auth'],
    ['GET', '/metrics'],
    ['GET', '/health'],
    ['GET', '/console/'],
    ['GET', '/console/api/session'],
    ['GET', '/apps/1/channels'],
    ['POST', '/apps/1/events'],
    ['GET', '/nothing'],
  ];

  test.each<[what: string, headers: Record<string, string>]>([
    ['a name of another site that leads to loopback', { Host: 'rebound.example' }],
    ['such a name with the port', { Host: 'rebound.example:6001' }],
    ['a name that begins with that of loopback', { Host: 'localhost.rebound.example' }],
    ['a page of another site', { Origin: 'https://evil.example' }],
    ['a page without an origin', { Origin: 'null' }],
    ['a page of another site on loopback by name', { Origin: 'http://localhost.evil.example' }],
    ['a proxy', { 'X-Forwarded-For': '203.0.113.9' }],
    ['a proxy that uses the standard header', { Forwarded: 'for=203.0.113.9' }],
  ])('and not %s', async (_what, headers) => {
    for (const [method, target] of EVERYTHING) {
      const { status } = await ask(method, target, { 'X-Countersign-Console': '1', ...headers });
      expect([method, target, status]).toEqual([method, target, 403]);
    }
  });

  test('and no form or script that another site had sent, where the browser says only that', async () => {
    const headers = { 'Content-Type': 'text/plain', 'Sec-Fetch-Site': 'cross-site' };
    expect((await ask('POST', '/dev/publish', headers)).status).toBe(403);
    expect((await ask('GET', '/', { 'Sec-Fetch-Site': 'cross-site' })).status).toBe(200);
  });

  test.each(['https://evil.example', 'null', 'file://'])(
    'and no WebSocket of a page of %s',
    async (origin) => {
      const client = new TestClient(`${url.replace('http', 'ws')}/app/dev-key?protocol=7`, { origin });
      onTestFinished(() => client.close());
      expect(await client.closed()).toMatchObject({ code: 4009 });
    },
  );

  test.each([
    'http://localhost:3000',
    'http://127.0.0.1:5173',
    'http://[::1]:8080',
    'https://shop.localhost',
    'capacitor://localhost',
  ])('but the pages of %s, where somebody develops', async (origin) => {
    const client = new TestClient(`${url.replace('http', 'ws')}/app/dev-key?protocol=7`, { origin });
    onTestFinished(() => client.close());
    await client.established();
    const { port } = new URL(url);
    expect((await ask('GET', '/health', { Origin: origin, Host: `localhost:${port}` })).status).toBe(200);
  });
});

describe('the page of countersign dev', () => {
  test('asks for nothing from elsewhere, and its policy forbids it', async () => {
    const answer = await fetch(url);
    const page = await answer.text();
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(answer.headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self' ws://127.0.0.1:* ws://localhost:* http://127.0.0.1:* http://localhost:*; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    );
    expect(page).not.toMatch(/(src|href)="(https?:)?\/\//);
    const assets = Array.from(page.matchAll(/(?:src|href)="(\/[^"]*)"/g), ([, path]) => path);
    expect(assets).toEqual(['/dev/page.css', '/dev/countersign.min.js', '/dev/page.js', '/console/', '/']);
    for (const path of assets) expect((await fetch(url + path)).status).toBe(200);
  });

  test('may join private and presence channels under the name that it made up', async () => {
    const ask = (channel: string, headers: Record<string, string>) =>
      fetch(`${url}/countersign/auth`, {
        method: 'POST',
        headers,
        body: new URLSearchParams({ socket_id: '1.2', channel_name: channel }),
      });
    const guest = { 'X-Dev-User': 'guest-1' };
    expect(await (await ask('private-notes', guest)).json()).toEqual({
      auth: `dev-key:${sign(secret, channelText('1.2', 'private-notes'))}`,
    });
    const lobby = (await (await ask('presence-lobby', guest)).json()) as {
      auth: string;
      channel_data: string;
    };
    expect(JSON.parse(lobby.channel_data)).toEqual({ user_id: 'guest-1', user_info: { name: 'guest-1' } });
    expect(lobby.auth).toBe(
      `dev-key:${sign(secret, channelText('1.2', 'presence-lobby', lobby.channel_data))}`,
    );
    expect((await ask('private-notes', {})).status).toBe(401);
  });
});

describe('POST /dev/publish', () => {
  const publish = (body: string) =>
    fetch(`${url}/dev/publish`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });

  test('publishes without a signature', async () => {
    const client = await subscriber('news');
    const answer = await publish('{"channel":"news","event":"hello","data":{"text":"hi"}}');
    expect({ status: answer.status, body: await answer.json() }).toEqual({ status: 200, body: {} });
    expect(await nextEvent(client)).toEqual(HELLO);
  });

  test.each([
    '{}',
    '[]',
    '{"channel":1,"event":"hello","data":1}',
    '{"channel":"a b","event":"hello","data":1}',
  ])('refuses %s with 400', async (body) => {
    const answer = await publish(body);
    expect({ status: answer.status, body: await answer.json() }).toEqual({
      status: 400,
      body: { error: expect.any(String) },
    });
  });

  test('is not there with countersign start', async () => {
    const apps = [{ id: 'app-1', keys: [{ key: 'key-1', secret: 'secret-1' }] }];
    const started = startCli(['start', '--port', '0'], { env: { COUNTERSIGN_APPS: JSON.stringify(apps) } });
    const { port } = await started.logged('listening');
    for (const path of ['/', '/dev/publish', '/dev/page.js', '/dev/snippets', '/countersign/auth']) {
      const method = path === '/dev/publish' || path === '/countersign/auth' ? 'POST' : 'GET';
      expect((await fetch(`http://127.0.0.1:${port}${path}`, { method })).status).toBe(404);
    }
  });
});
