/** `npm run example:cluster`: a Redis, two brokers and a proxy in front of them, on the loopback. Ctrl-C ends them. */
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { proxies } from './proxies.js';

const proxy = process.env['PROXY'] || 'haproxy';
const proxyAt = proxies[proxy];
if (!proxyAt) {
  console.error(`PROXY is one of ${Object.keys(proxies).join(', ')}`);
  process.exit(1);
}
// Debian keeps proxies where only root looks.
const PATH = `${process.env['PATH']}:/usr/sbin`;
const missing = ['redis-server', proxy].filter((name) => spawnSync(name, ['-v'], { env: { PATH } }).error);
if (missing.length > 0) {
  console.error(
    `Not installed: ${missing.join(' and ')}. On Debian and Ubuntu: apt-get install ${missing.join(' ')}`,
  );
  process.exit(1);
}

const host = '127.0.0.1';
const app = { id: '1', key: randomBytes(10).toString('hex'), secret: randomBytes(32).toString('hex') };
const data = mkdtempSync(join(tmpdir(), 'countersign-cluster-'));
const [redisPort, portA, portB, freePort] = await Promise.all([1, 2, 3, 4].map(findPort));
const port = process.env['PORT'] || String(freePort);

/** @type {import('node:child_process').ChildProcess[]} */
const processes = [];
let ending = false;
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void stop(0));

await start(
  'redis-server',
  ['--port', String(redisPort), '--bind', host, '--dir', data, '--appendonly', 'yes'],
  {
    until: 'Ready to accept connections',
  },
);
const cli = fileURLToPath(new URL('../../../server/dist/cli/main.js', import.meta.url));
for (const own of [portA, portB]) {
  await start(process.execPath, ['--max-semi-space-size=4', cli, 'start', '--port', String(own)], {
    until: '"msg":"listening"',
    env: {
      COUNTERSIGN_APPS: JSON.stringify([{ id: app.id, keys: [{ key: app.key, secret: app.secret }] }]),
      COUNTERSIGN_REDIS__URL: `redis://${host}:${redisPort}`,
      COUNTERSIGN_TRUST_PROXY: 'loopback',
    },
  });
}
const { args, env } = proxyAt({ port, brokers: [String(portA), String(portB)], folder: data });
await start(proxy, args, { env });
await answers(`http://${host}:${port}/ready`);

console.log(`Service:  http://${host}:${port}  app ${app.id}  key ${app.key}  secret ${app.secret}`);
console.log(`Brokers:  http://${host}:${portA} (process ${processes[1]?.pid})`);
console.log(`          http://${host}:${portB} (process ${processes[2]?.pid})`);
console.log(`Paste:    export PORT=${port} KEY=${app.key} SECRET=${app.secret}`);
console.log('Kill one of them: its clients come back on the other one. Ctrl-C ends them all.');

/**
 * Ends all: the last that was started goes first, so that nothing ends whose use goes on.
 *
 * @param {number} code
 */
async function stop(code) {
  if (ending) return;
  ending = true;
  for (const child of processes.toReversed()) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }
  rmSync(data, { recursive: true, force: true });
  process.exit(code);
}

/**
 * Starts a process, and waits until it has written a text.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ readonly until?: string, readonly env?: Readonly<Record<string, string>> }} options
 */
async function start(command, args, { until, env = {} }) {
  const child = spawn(command, args, {
    env: { PATH, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
    // Ctrl-C reaches this process only, which ends them in order.
    detached: true,
  });
  processes.push(child);
  child.once('exit', (code) => {
    // Brokers may be killed to see what happens; without the others there is nothing to see.
    if (ending || command === process.execPath) return;
    console.error(`${command} has ended with code ${code}`);
    void stop(1);
  });
  if (until === undefined) return;
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.includes(until)) continue;
    child.stdout.resume();
    return;
  }
  if (!ending) console.error(`${command} has ended before it was ready`);
  void stop(1);
  // Nothing more is started.
  await new Promise(() => {});
}

/**
 * Waits until a URL answers 200.
 *
 * @param {string} url
 */
async function answers(url) {
  for (;;) {
    const status = await fetch(url).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** A port of the loopback that nobody listens on. @returns {Promise<number>} */
async function findPort() {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const { port: found } = /** @type {import('node:net').AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return found;
}
