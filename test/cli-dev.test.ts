import { channelText, sign } from '@countersign/sdk-server/signature';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type Cli, startCli } from './helpers/cli.ts';
import { TestClient } from './helpers/client.ts';

let cli: Cli;
let url: string;

beforeEach(async () => {
  cli = startCli(['dev', '--port', '0']);
  url = (await cli.line('  page ')).replace(/ +page +(.*)\/$/, '$1');
});

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
    expect(await cli.line('  app id ')).toBe('  app id   dev-app');
    expect(await cli.line('  key ')).toBe('  key      dev-key');
    expect(await cli.line('  secret ')).toBe('  secret   dev-secret');
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
  signature=$(printf 'POST\\n/apps/dev-app/events\\n%s' "$query" | openssl dgst -sha256 -hmac dev-secret -r | cut -c 1-64)
  curl -H 'Content-Type: application/json' -d "$body" "${url}/apps/dev-app/events?$query&auth_signature=$signature"
`);
  });
});

describe('the page of countersign dev', () => {
  test('asks for nothing from elsewhere, and its policy forbids it', async () => {
    const answer = await fetch(url);
    const page = await answer.text();
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(answer.headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self' ws://127.0.0.1:* ws://localhost:*; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    );
    expect(page).not.toMatch(/(src|href)="(https?:)?\/\//);
    const assets = Array.from(page.matchAll(/(?:src|href)="(\/[^"]*)"/g), ([, path]) => path);
    expect(assets).toEqual(['/dev/page.css', '/dev/countersign.min.js', '/dev/page.js']);
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
      auth: `dev-key:${sign('dev-secret', channelText('1.2', 'private-notes'))}`,
    });
    const lobby = (await (await ask('presence-lobby', guest)).json()) as {
      auth: string;
      channel_data: string;
    };
    expect(JSON.parse(lobby.channel_data)).toEqual({ user_id: 'guest-1', user_info: { name: 'guest-1' } });
    expect(lobby.auth).toBe(
      `dev-key:${sign('dev-secret', channelText('1.2', 'presence-lobby', lobby.channel_data))}`,
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
    for (const path of ['/', '/dev/publish', '/dev/page.js', '/countersign/auth']) {
      const method = path === '/dev/publish' || path === '/countersign/auth' ? 'POST' : 'GET';
      expect((await fetch(`http://127.0.0.1:${port}${path}`, { method })).status).toBe(404);
    }
  });
});
