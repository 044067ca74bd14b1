import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createServer } from '@countersign/server';
import { describe, expect, onTestFinished, test } from 'vitest';
import { APP, configOf, type ServerSettings, startServer } from '../helpers/brokers/server.ts';
import { open, TestClient } from '../helpers/clients/client.ts';
import { frames } from '../helpers/frames.ts';

// A key pair of nobody, valid for 127.0.0.1 and localhost until the year 2126.
const [cert, key] = ['cert.pem', 'key.pem'].map((name) =>
  fileURLToPath(new URL(`../helpers/tls/${name}`, import.meta.url)),
) as [string, string];
const ca = readFileSync(cert);

const startSecure = ({ config, ...settings }: ServerSettings = {}) =>
  startServer({ ...settings, config: { tls: { cert, key }, ...config } });

/** The status and body of a request over TLS, whose certificate is checked. */
async function get(url: string, headers = {}): Promise<[status: number | undefined, body: string]> {
  const request = httpsRequest(url, { ca, headers }).end();
  const [response] = await once(request, 'response');
  let body = '';
  for await (const chunk of response) body += chunk;
  return [response.statusCode, body];
}

describe('a broker with a certificate', () => {
  test('serves wss', async () => {
    const broker = await startSecure();
    expect(broker.url).toBe(`https://127.0.0.1:${broker.port}`);
    const client = await open(broker, undefined, { ca }).established();
    expect(await client.join('private-a')).toBe(frames.subscribed('private-a'));
  });

  test('serves https', async () => {
    const broker = await startSecure();
    expect(await get(`${broker.url}/health`)).toEqual([200, '{"status":"ok"}']);
    expect(await get(`${broker.url}/ready`)).toEqual([200, '{"status":"ready"}']);
    const [status] = await get(`${broker.url}/apps/${APP.id}/channels`);
    expect(status).toBe(401);
  });

  test('serves requests that offer another protocol', async () => {
    const broker = await startSecure();
    const offer = { Connection: 'Upgrade', Upgrade: 'h2c' };
    expect(await get(`${broker.url}/health`, offer)).toEqual([200, '{"status":"ok"}']);
  });

  test('serves an app that requires TLS', async () => {
    const broker = await startSecure({ app: { requireTLS: true } });
    await open(broker, undefined, { ca }).established();
  });

  test('closes with the same codes', async () => {
    const client = open(await startSecure(), '/app/other?protocol=7', { ca });
    expect(await client.next()).toBe(frames.error(4001, "No app has the key 'other'", 'app_not_found'));
    expect(await client.next()).toEqual({ code: 4001, reason: "No app has the key 'other'" });
  });

  test('sends much to many at once', async () => {
    const broker = await startSecure({ limits: { eventDataBytes: 60_000 } });
    const clients = await Promise.all(
      Array.from({ length: 5 }, () => open(broker, undefined, { ca }).established()),
    );
    for (const client of clients) await client.join('private-a');
    const [sender, ...others] = clients;
    const data = 'x'.repeat(60_000);
    for (let count = 0; count < 5; count += 1) {
      sender?.send({ event: `client-${count}`, channel: 'private-a', data });
    }
    for (const other of others) {
      for (let count = 0; count < 5; count += 1) {
        expect(await other.next()).toBe(frames.event(`client-${count}`, 'private-a', data));
      }
    }
  });

  test('drains as without', async () => {
    const broker = await startSecure();
    const client = await open(broker, undefined, { ca }).established();
    const drained = broker.drain();
    expect(await client.closed()).toMatchObject({ code: 4200 });
    await drained;
  });

  test('drains although somebody never ends his handshake', async () => {
    const broker = await startSecure();
    const silent = connectTcp(broker.port, '127.0.0.1');
    onTestFinished(() => void silent.destroy());
    await once(silent, 'connect');
    await get(`${broker.url}/health`); // the broker has accepted who came before
    await broker.drain();
  });

  test('is not harmed by what is not TLS', async () => {
    const broker = await startSecure();
    const plain = new TestClient(`ws://127.0.0.1:${broker.port}/app/${APP.key}?protocol=7`);
    expect(await plain.next()).toMatchObject({ code: 1006 });
    const stranger = connectTcp(broker.port, '127.0.0.1');
    onTestFinished(() => void stranger.destroy());
    stranger.end('\u0016\u0003\u0001\u0002nonsense');
    await once(stranger.resume(), 'close');
    await open(broker, undefined, { ca }).established();
  });
});

test('a client that speaks TLS does not harm a broker without', async () => {
  const broker = await startServer();
  const client = new TestClient(`wss://127.0.0.1:${broker.port}/app/${APP.key}?protocol=7`, { ca });
  expect(await client.next()).toMatchObject({ code: 1006 });
  await open(broker).established();
});

test.each([
  [
    'is missing',
    { cert: `${cert}.missing`, key },
    /tls\.cert: got ".*cert\.pem\.missing", but there is no such file \(ENOENT\)/,
  ],
  [
    'is none',
    { cert: fileURLToPath(import.meta.url), key },
    /tls\.cert: .* expected a certificate in PEM format/,
  ],
])('a broker whose certificate %s does not start', async (_what, tls, problem) => {
  await expect(createServer(configOf({ config: { tls } }))).rejects.toThrow(problem);
});
