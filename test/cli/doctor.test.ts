/** `countersign doctor`: what it finds where all is well, and where one thing is wrong, with the cure. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { channelText, sign } from '@countersign/sdk-server/signature';
import { expect, onTestFinished, test, vi } from 'vitest';
import { WebSocketServer } from 'ws';
import { runCli } from '../helpers/brokers/cli.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { newFolder } from '../helpers/folder.ts';

vi.setConfig({ testTimeout: 120_000 });

const PAGE = 'https://shop.example';
const SIGNER = ['--app', APP.id, '--key', APP.key, '--secret', APP.secret];

/** What each step found, by its name. */
function doctor(...args: string[]) {
  return doctorIn({}, ...args);
}

async function doctorIn(env: Readonly<Record<string, string>>, ...args: string[]) {
  const { code, stdout, stderr } = await runCli(['doctor', ...args, '--json'], {
    env: { XDG_CONFIG_HOME: newFolder(), ...env },
  });
  expect(stderr).toBe('');
  const { ok, steps } = JSON.parse(stdout);
  expect(code).toBe(ok ? 0 : 1);
  const found = Object.fromEntries(
    steps.map(({ step, ...finding }: { readonly step: string }) => [step, finding]),
  );
  return { ok, found, names: steps.map(({ step }: { readonly step: string }) => step) };
}

/** The servers that were started, by their URLs. */
const servers = new Map<string, Server>();

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  servers.set(url, server);
  return url;
}

/** An auth endpoint that signs with a secret, and allows an origin. */
function endpoint(secret: string, headers: Readonly<Record<string, string>>): Promise<string> {
  return serve(async (request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (request.method === 'OPTIONS') return void response.writeHead(204).end();
    let body = '';
    for await (const chunk of request) body += chunk;
    const form = new URLSearchParams(body);
    const text = channelText(String(form.get('socket_id')), String(form.get('channel_name')));
    response.end(JSON.stringify({ auth: `${APP.key}:${sign(secret, text)}` }));
  });
}

test('all is well', async () => {
  const broker = await startServer({ config: { pathPrefix: '/realtime' } });
  const auth = await endpoint(APP.secret, {
    'Access-Control-Allow-Origin': PAGE,
    'Access-Control-Allow-Credentials': 'true',
  });
  const { ok, found, names } = await doctor(
    `${broker.url}/realtime`,
    ...SIGNER,
    ...['--origin', PAGE, '--idle', '1', '--auth-endpoint', auth, '--cookie', 'session=1'],
  );
  expect(names).toEqual(
    'dns tls ready upgrade path_prefix idle origin clock signed_request subscribe echo fallbacks auth_preflight auth_cors auth_cookies auth_status auth_body auth_signature'.split(
      ' ',
    ),
  );
  expect(ok).toBe(true);
  for (const name of names) {
    const isSkipped = name === 'tls' || name === 'fallbacks';
    expect({ name, ...found[name] }).toMatchObject({ name, status: isSkipped ? 'skipped' : 'ok' });
    expect(found[name]).not.toHaveProperty('cure');
  }
});

test('on a terminal it is a line for each step, and the cure below', async () => {
  const broker = await startServer();
  const args = ['doctor', broker.url, '--app', APP.id, '--key', APP.key, '--secret', 'another secret'];
  const { code, stdout, stderr } = await runCli(args, { env: { XDG_CONFIG_HOME: newFolder() } });
  expect(code).toBe(1);
  expect(stderr).toMatch(/^1 of 18 steps found something wrong/);
  expect(stdout).toMatch(/^✓ ready +the broker is ready$/m);
  expect(stdout).toMatch(
    /^✗ signed_request +a signed request is refused: .*\n +Compare app, key and secret/m,
  );
  expect(stdout).toMatch(/^- echo +not before /m);
});

test.each([
  [
    'signed_request',
    ['--app', APP.id, '--key', APP.key, '--secret', 'another secret'],
    'http-api.md#signing',
  ],
  ['origin', [...SIGNER, '--origin', 'https://elsewhere.example'], 'configuration.md#origins-of-apps'],
])('what is wrong with %s', async (step, args, page) => {
  const broker = await startServer({ app: { allowedOrigins: [PAGE] } });
  const { ok, found } = await doctor(broker.url, ...args);
  expect(ok).toBe(false);
  expect(found[step]).toMatchObject({ status: 'wrong', cure: expect.stringContaining(`docs/${page}`) });
});

test('nobody answers', async () => {
  const { found } = await doctor('http://127.0.0.1:9', ...SIGNER);
  expect(found['ready']).toMatchObject({
    status: 'wrong',
    cure: expect.stringContaining('Start the broker'),
  });
  for (const step of ['upgrade', 'signed_request', 'subscribe', 'echo'])
    expect(found[step]).toMatchObject({ status: 'skipped' });
});

test('a name that nobody knows', async () => {
  const { found } = await doctor('http://nobody.invalid');
  expect(found['dns']).toMatchObject({ status: 'wrong' });
  expect(found['ready']).toMatchObject({ status: 'skipped' });
});

test('a proxy that passes no WebSocket on', async () => {
  const broker = await startServer();
  const proxy = await serve(async (request, response) => {
    const answer = await fetch(`${broker.url}${request.url}`);
    response.writeHead(answer.status, { 'Content-Type': 'application/json' }).end(await answer.text());
  });
  const { found } = await doctor(proxy);
  expect(found['ready']).toMatchObject({ status: 'ok' });
  expect(found['upgrade']).toMatchObject({
    status: 'wrong',
    cure: expect.stringContaining('docs/deploy.md#behind-a-proxy'),
  });
});

test('a path prefix that the broker does not have', async () => {
  const broker = await startServer();
  const { found } = await doctor(`${broker.url}/realtime`);
  expect(found['path_prefix']).toMatchObject({
    status: 'wrong',
    cure: expect.stringContaining('pathPrefix'),
  });
});

test('an auth endpoint without CORS, cookies and the right secret', async () => {
  const broker = await startServer();
  const auth = await endpoint('another secret', {});
  const { found } = await doctor(
    broker.url,
    ...SIGNER,
    ...['--origin', PAGE, '--cookie', 'session=1', '--auth-endpoint', auth],
  );
  expect(found['auth_status']).toMatchObject({ status: 'ok' });
  for (const step of ['auth_preflight', 'auth_cors', 'auth_cookies', 'auth_signature'])
    expect({ step, ...found[step] }).toMatchObject({ step, status: 'wrong', cure: expect.any(String) });
});

test('each cure leads to a heading of the documentation', () => {
  const root = new URL('../../', import.meta.url);
  const folder = new URL('server/src/cli/doctor/', root);
  const sources = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), 'utf8'));
  const pages = sources.flatMap((text) => [...text.matchAll(/([a-z-]+\.md)#([a-z0-9_-]+)/g)]);
  expect(pages.length).toBeGreaterThan(10);
  for (const [link, file = '', heading] of pages) {
    const headings = [...readFileSync(new URL(`docs/${file}`, root), 'utf8').matchAll(/^#+ (.+)$/gm)];
    const slugs = headings.map(([, text = '']) =>
      text
        .toLowerCase()
        .replaceAll(/[^a-z0-9 _-]/g, '')
        .replaceAll(' ', '-'),
    );
    expect({ link, isThere: slugs.includes(String(heading)) }).toEqual({ link, isThere: true });
  }
});

test('something else that speaks WebSocket is said to be no broker, and the command ends', async () => {
  const url = await serve((_, response) => response.end('{"status":"ready"}'));
  const other = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  other.on('connection', (socket) => socket.send('hello, not JSON'));
  onTestFinished(() => other.close());
  servers
    .get(url)
    ?.on('upgrade', (request, socket, head) =>
      other.handleUpgrade(request, socket, head, (webSocket) => other.emit('connection', webSocket, request)),
    );
  const { found } = await doctor(url, '--key', APP.key);
  expect(found['upgrade']).toMatchObject({
    status: 'wrong',
    detail: 'no WebSocket opens: something else than the broker answers',
  });
});

test('a key that may not publish is named where an event does not come back', async () => {
  const keys = [{ key: APP.key, secret: APP.secret, scopes: ['subscribe:*', 'read'] }];
  const broker = await startServer({ app: { keys } });
  const { found } = await doctor(broker.url, ...SIGNER);
  expect(found['subscribe']).toMatchObject({ status: 'ok' });
  expect(found['echo']).toMatchObject({ status: 'wrong', detail: expect.stringContaining('403') });
});

/** A server with a certificate for a name and a time, and whether clients know its authority. */
async function serveTls(name: string, [begins, ends]: readonly [Date, Date], isKnown: boolean) {
  const folder = newFolder();
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const openssl = (...args: string[]) => promisify(execFile)('openssl', args, { cwd: folder });
  await openssl(
    'req',
    '-new',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    key,
    '-out',
    'csr',
  );
  writeFileSync(join(folder, 'index.txt'), '');
  writeFileSync(
    join(folder, 'ca.cnf'),
    `[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\nrand_serial=yes\nnew_certs_dir=.\ndefault_md=sha256\npolicy=any\n` +
      `x509_extensions=names\n[any]\ncommonName=supplied\n[names]\nsubjectAltName=DNS:${name}\n`,
  );
  const time = (date: Date) => `${date.toISOString().replaceAll(/[-:T]|\..*/g, '')}Z`;
  const term = ['-startdate', time(begins), '-enddate', time(ends)];
  await openssl(
    'ca',
    '-batch',
    '-selfsign',
    '-config',
    'ca.cnf',
    '-keyfile',
    key,
    '-in',
    'csr',
    '-out',
    cert,
    ...term,
  );
  const pair = { key: readFileSync(key), cert: readFileSync(cert) };
  const server = createTlsServer(pair, (_request, response) => response.end('{"status":"ready"}'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const url = `https://localhost:${(server.address() as AddressInfo).port}`;
  const env: Record<string, string> = isKnown ? { NODE_EXTRA_CA_CERTS: cert } : {};
  return { url, env };
}

/** So many days from now. */
const day = (days: number) => new Date(Date.now() + days * 86_400_000);

test.each<[fault: string, name: string, term: [Date, Date], isKnown: boolean, cure: RegExp]>([
  ['CERT_HAS_EXPIRED', 'localhost', [day(-9), day(-1)], true, /renew it/],
  ['CERT_NOT_YET_VALID', 'localhost', [day(1), day(99)], true, /begins later/],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'other.example', [day(-1), day(99)], true, /has this name/],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'localhost', [day(-1), day(99)], false, /NODE_EXTRA_CA_CERTS/],
  ['the certificate ends in 2 days', 'localhost', [day(-1), day(2.5)], true, /^Renew it/],
])('a certificate: %s', async (fault, name, term, isKnown, cure) => {
  const { url, env } = await serveTls(name, term, isKnown);
  const { found } = await doctorIn(env, url);
  expect(found['tls']).toMatchObject({
    status: 'wrong',
    detail: expect.stringContaining(fault),
    cure: expect.stringMatching(cure),
  });
});

test('an auth endpoint that leads to a page to sign in, and one that answers with a page', async () => {
  const broker = await startServer();
  const leads = await serve((_request, response) => {
    response.writeHead(302, { Location: 'https://shop.example/login' }).end();
  });
  const { found: led } = await doctor(broker.url, '--auth-endpoint', leads, '--origin', PAGE);
  expect(led['auth_status']).toMatchObject({
    detail: expect.stringContaining('leads to "https://shop.example/login"'),
    cure: expect.stringContaining('without a redirect'),
  });
  const page = await serve((_request, response) => response.end('<!doctype html>\n\u001b[2Jwelcome'));
  const { found: shown } = await doctor(broker.url, '--auth-endpoint', page);
  expect(shown['auth_body']).toMatchObject({
    status: 'wrong',
    detail: expect.stringContaining('but "<!doctype html>\\n\\u001b[2Jwelcome"'),
  });
});

test('a proxy that ends silent connections', async () => {
  const broker = await startServer();
  const proxy = createTcpServer((near) => {
    const far = connect(Number(new URL(broker.url).port), '127.0.0.1');
    near.pipe(far).pipe(near);
    near.setTimeout(300, () => near.destroy());
    for (const socket of [near, far]) socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void proxy.close());
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const { found } = await doctor(url, '--key', APP.key, '--idle', '5');
  expect(found['upgrade']).toMatchObject({ status: 'ok' });
  expect(found['idle']).toMatchObject({ status: 'wrong', cure: expect.stringContaining('idle time-out') });
});

test('a key that no app has is not taken for an origin that is refused', async () => {
  const broker = await startServer();
  const { found } = await doctor(broker.url, '--key', 'no-such-key', '--origin', PAGE);
  expect(found['origin']).toMatchObject({
    status: 'wrong',
    detail: expect.stringContaining('4001'),
    cure: expect.stringContaining('errors.md'),
  });
});

test('a request that the broker takes for an old one needs a clock, and no other secret', async () => {
  const broker = await startServer();
  // This machine has one clock, so what is signed is an hour old by the one of the command.
  const late = `data:text/javascript,${encodeURIComponent('const { now } = Date; Date.now = () => now() - 3_600_000;')}`;
  const { found } = await doctorIn({ NODE_OPTIONS: `--import=${late}` }, broker.url, ...SIGNER);
  expect(found['clock']).toMatchObject({ status: 'wrong', cure: expect.stringContaining('NTP') });
  expect(found['signed_request']).toMatchObject({
    status: 'wrong',
    cure: expect.stringContaining('Set both clocks by NTP'),
  });
});
