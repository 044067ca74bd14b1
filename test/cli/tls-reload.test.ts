/** A certificate that is renewed while the broker runs, and one that is wrong. */
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Cli, runCli, startCli } from '../helpers/brokers/cli.ts';
import { APP } from '../helpers/brokers/server.ts';
import { eventually } from '../helpers/eventually.ts';
import { type Certificates, makeCertificates } from '../helpers/redis/tls.ts';

const TIMEOUT = 60_000;
const apps = [{ id: APP.id, keys: [{ key: APP.key, secret: APP.secret }] }];

/** Files as a Secret of Kubernetes has them: links into a folder that is itself a link, which is swapped in one step. */
class Secret {
  readonly folder = mkdtempSync(join(tmpdir(), 'countersign-'));
  readonly versions: Certificates[] = [];

  constructor() {
    for (const version of ['v1', 'v2']) {
      mkdirSync(join(this.folder, version));
      this.versions.push(makeCertificates(join(this.folder, version)));
    }
    this.swap('v1');
    for (const name of ['cert.pem', 'key.pem']) symlinkSync(`..data/${name}`, this.file(name));
    onTestFinished(() => rmSync(this.folder, { recursive: true }));
  }

  get tls() {
    return { cert: this.file('cert.pem'), key: this.file('key.pem') };
  }

  file(name: string): string {
    return join(this.folder, name);
  }

  swap(version: string): void {
    symlinkSync(version, this.file('..next'));
    renameSync(this.file('..next'), this.file('..data'));
  }
}

/** Connects, and tells the certificate that the broker shows now. */
async function shown(port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  try {
    return await new Promise((resolve, reject) => {
      socket.on('secureConnect', () => resolve(String(socket.getPeerX509Certificate()?.toString())));
      socket.on('error', reject);
    });
  } finally {
    socket.destroy();
  }
}

const pem = ({ cert }: Certificates) => readFileSync(cert, 'utf8');

async function start(secret: Secret, ...flags: string[]): Promise<{ cli: Cli; port: number }> {
  const file = secret.file('countersign.json');
  const metrics = { port: 0 };
  writeFileSync(file, JSON.stringify({ port: 0, apps, tls: secret.tls, metrics, drainWindowSeconds: 0 }));
  const cli = startCli(['start', '--config', file, ...flags]);
  const { port } = await cli.logged(flags.length > 0 ? 'all workers listen' : 'listening');
  await cli.logged('effective limits');
  return { cli, port: Number(port) };
}

describe('a certificate', () => {
  test('is read again when a link leads to another one', { timeout: TIMEOUT }, async () => {
    const secret = new Secret();
    const [first, second] = secret.versions as [Certificates, Certificates];
    const { cli, port } = await start(secret);
    expect(await shown(port)).toBe(pem(first));
    secret.swap('v2');
    await eventually(async () => expect(await shown(port)).toBe(pem(second)));
    expect(await cli.logged('certificate reloaded')).toMatchObject({ section: 'tls' });
    expect(cli.count('certificate not reloaded, the previous one stays in use')).toBe(0);
  });

  test('is read again on SIGHUP by each worker', { timeout: TIMEOUT }, async () => {
    const secret = new Secret();
    const { cli, port } = await start(secret, '--workers', '2');
    secret.swap('v2');
    cli.signal('SIGHUP');
    await eventually(() => expect(cli.count('certificate reloaded')).toBe(2));
    for (let n = 0; n < 4; n += 1) expect(await shown(port)).toBe(pem(secret.versions[1]!));
  });

  test('stays while the files cannot be used, which the log tells once', { timeout: TIMEOUT }, async () => {
    const secret = new Secret();
    const [first, second] = secret.versions as [Certificates, Certificates];
    const { cli, port } = await start(secret);
    writeFileSync(first.key, readFileSync(second.key));
    const { err } = await cli.logged('certificate not reloaded, the previous one stays in use');
    expect(err).toMatchObject({
      message: `Wrong configuration:\n  tls.key: got "${secret.tls.key}", expected the private key of the certificate in ${secret.tls.cert}`,
    });
    expect(await shown(port)).toBe(pem(first));
    secret.swap('v2');
    await eventually(async () => expect(await shown(port)).toBe(pem(second)));
    expect(cli.count('certificate not reloaded, the previous one stays in use')).toBe(1);
  });

  test('has its end in the metrics, and in the log if that is near', { timeout: TIMEOUT }, async () => {
    const secret = new Secret();
    const { cli } = await start(secret);
    const { metrics } = await cli.logged('listening');
    const socket = String(metrics).replace('https://', '');
    expect(socket).toMatch(/^127\.0\.0\.1:\d+\/metrics$/);
    const { expiresAt, ...warning } = await cli.logged('certificate expires soon');
    expect(warning).toMatchObject({ level: 40, section: 'tls', file: secret.tls.cert, days: 1 });
    const text = await read(String(metrics));
    const seconds = Date.parse(String(expiresAt)) / 1000;
    expect(text).toContain(
      `countersign_certificate_expiry_timestamp_seconds{setting="tls.cert"} ${seconds}\n`,
    );
  });
});

/** What an URL answers, whatever its certificate. */
async function read(url: string): Promise<string> {
  const { hostname, port, pathname } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false });
  socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`);
  let text = '';
  for await (const chunk of socket.setEncoding('utf8')) text += chunk;
  return text;
}

test.each([
  [
    'the key of another certificate',
    (secret: Secret) => secret.versions[1]!.key,
    /expected the private key of the certificate in .*cert\.pem\n$/,
  ],
  [
    'a certificate',
    (secret: Secret) => secret.versions[0]!.cert,
    /expected a private key in PEM format, without a passphrase \(.+\)\n$/,
  ],
])('%s instead of the key is a wrong configuration', { timeout: TIMEOUT }, async (_what, keyOf, problem) => {
  const secret = new Secret();
  const key = keyOf(secret);
  const file = secret.file('countersign.json');
  writeFileSync(file, JSON.stringify({ port: 0, apps, tls: { ...secret.tls, key } }));
  const { code, stderr } = await runCli(['start', '--config', file]);
  expect(code).toBe(2);
  expect(stderr).toMatch(problem);
  expect(stderr).toContain(`tls.key: got "${key}"`);
});
