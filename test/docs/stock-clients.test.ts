/** The clients of docs/stock-clients.md, as its blocks have them, and its two traps. */

import { writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { build } from 'esbuild';
import Pusher7 from 'pusher-js-7';
import { expect, onTestFinished, test } from 'vitest';
import { describeInChromium, freshContext } from '../browser/chromium.ts';
import { publish } from '../helpers/api.ts';
import { startBackend } from '../helpers/brokers/backend.ts';
import { startCable } from '../helpers/brokers/load-balancer.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { Inbox, listen } from '../helpers/clients/event-inbox.ts';
import { connectPusher, openPusherOf, type Pusher, type PusherClass } from '../helpers/clients/official.ts';
import { Program, readersFolder, snippetsOf } from '../helpers/snippets.ts';

const APP = { id: '1', key: 'dev-key', secret: 'stock-secret' };
const blocks = snippetsOf('stock-clients.md');

/** The program of a block, for another port than the one on the page. */
const programOf = (name: string, port: number) => blocks.get(name)!.replace('6001', String(port));

async function startBroker() {
  const broker = await startServer({ app: { id: APP.id, keys: [{ key: APP.key, secret: APP.secret }] } });
  return { broker, say: () => publish(broker, 'news', 'headline', '{"text":"Hello"}', {}, APP) };
}

/** Writes a program where it finds its packages, and runs it. */
function run(code: string, ...args: readonly string[]): Program {
  const file = join(readersFolder(), 'program.js');
  writeFileSync(file, code);
  return new Program(process.execPath, [...args, file]);
}

test.each(['pusher-js.js', 'echo-2.js'])('%s hears what is published', async (name) => {
  const { broker, say } = await startBroker();
  const { lines } = run(programOf(name, broker.port));
  expect(await lines.next()).toBe('subscribed');
  await say();
  expect(await lines.next()).toBe('Hello');
});

describeInChromium('in a browser', () => {
  const NETINFO =
    'export default { fetch: async () => ({ type: "wifi" }), addEventListener: () => () => {} }';
  const WORKER = '<script>new Worker("/program.js")</script>';
  const PAGE = '<script src="/program.js"></script>';

  test.each([
    ['worker.js', WORKER],
    ['echo-1.js', PAGE],
    ['react-native.js', PAGE],
  ])('%s hears what is published', async (name, html) => {
    const { broker, say } = await startBroker();
    const folder = readersFolder();
    writeFileSync(join(folder, 'netinfo.js'), NETINFO);
    const { outputFiles } = await build({
      stdin: { contents: programOf(name, broker.port), resolveDir: folder },
      alias: {
        '@react-native-community/netinfo': join(folder, 'netinfo.js'),
        'laravel-echo': 'laravel-echo-1',
      },
      bundle: true,
      write: false,
      format: 'iife',
      platform: 'browser',
    });
    const site = await startBackend((app) => {
      app.get('/program.js', (_req, res) => void res.type('js').send(outputFiles[0]!.text));
      app.get('/', (_req, res) => void res.send(`<!doctype html>${html}`));
    });
    const page = await (await freshContext()).newPage();
    const lines = new Inbox<string>('a line in the console');
    page.on('pageerror', (error) => lines.put(String(error)));
    page.on('console', (message) => message.type() === 'log' && lines.put(message.text()));
    await page.goto(site);
    expect(await lines.next()).toBe('subscribed');
    await say();
    expect(await lines.next()).toBe('Hello');
  });
});

/** Prints the names of hosts that a program looks up, and lets it find none but the loopback. */
const NAMES = `import dns from 'node:dns';
const { lookup } = dns;
dns.lookup = (host, ...rest) => {
  if (/^[\\d.]+$/.test(host)) return lookup(host, ...rest);
  console.log('looks up ' + host);
  rest.at(-1)(Object.assign(new Error('no such host'), { code: 'ENOTFOUND' }));
};`;

test('a client whose handshake is slow asks the vendor, unless it has only WebSockets', async () => {
  const { port } = (await startSilence()).address() as { port: number };
  const preload = join(readersFolder(), 'names.js');
  writeFileSync(preload, NAMES);
  const told = programOf('pusher-js.js', port).concat(
    "pusher.connection.bind('state_change', ({ current }) => console.log(current));",
  );
  const safe = run(told, '--import', preload);
  const careless = run(told.replace(/ *enabledTransports.*\n/, ''), '--import', preload);
  const ours = run(
    told.replace(/enabledTransports.*\n/, `httpHost: '127.0.0.1', httpPort: ${port},\n`),
    '--import',
    preload,
  );
  // All are `unavailable` after ten seconds, and the fallbacks of a client begin after five.
  const untilUnavailable = ({ lines }: Program) => lines.until((line) => line === 'unavailable');
  const printed = await Promise.all([safe, careless, ours].map(untilUnavailable));
  const lookups = printed.map((lines) => lines.filter((line) => line.startsWith('looks up')));
  expect(lookups).toEqual([[], expect.arrayContaining([expect.stringMatching(/pusher\.com$/)]), []]);
});

test('before 8.2 a client gives up after two unclean ends, and later ones do not', async () => {
  const broker = await startServer();
  const cable = await startCable(broker);
  const old = openPusherOf(Pusher7 as unknown as PusherClass, cable, {}) as Pusher;
  const [failed, connected] = ['failed', 'connected'].map((state) => listen(old.connection, state));
  for (let ends = 0; ends < 2; ends += 1) {
    await connected!.next();
    cable.cut();
  }
  await failed!.next();

  const current = await connectPusher(cable);
  const again = listen(current.connection, 'connected');
  for (let ends = 0; ends < 3; ends += 1) {
    cable.cut();
    await again.next();
  }
});

/** Takes connections and says nothing. */
async function startSilence(): Promise<Server> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket.on('error', () => {})));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
