import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { Inbox, listen } from '../helpers/clients/event-inbox.ts';
import { connectPusher, join } from '../helpers/clients/official.ts';
import { eventually } from '../helpers/eventually.ts';
import { hasRedis } from '../helpers/redis/redis.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const EXAMPLE = new URL('../../docs/examples/cluster/', import.meta.url);
const PATH = `${process.env['PATH']}:/usr/sbin`;

/** The lines that the page has to be pasted, in their order. */
const pasted = [...readFileSync(new URL('README.md', EXAMPLE), 'utf8').matchAll(/```sh\n(.*)\n```/g)].map(
  ([, line = '']) => line,
);

/** Runs a command, and answers the lines that it prints. */
function run(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(command, args, {
    cwd: ROOT,
    env: { PATH, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const printed = new Inbox<string>(`what ${command} prints`);
  createInterface({ input: child.stdout }).on('line', printed.put);
  return { child, printed };
}

/** Starts the example, and reads where it is. */
async function startExample(proxy: string) {
  const { child, printed } = run(process.execPath, [fileURLToPath(new URL('start.js', EXAMPLE))], {
    PROXY: proxy,
  });
  const lines = (await printed.until((line) => line.startsWith('Kill'))).join('\n');
  const [, port, id = '', key = '', secret = ''] =
    /:(\d+) {2}app (\S+) {2}key (\S+) {2}secret (\S+)/.exec(lines) ?? [];
  const [, broker = '', pid] = /(http:\S+) \(process (\d+)/.exec(lines) ?? [];
  const [, credentials = ''] = /(export .*)/.exec(lines) ?? [];
  return {
    service: { host: '127.0.0.1', port: Number(port), url: `http://127.0.0.1:${port}` },
    app: { id, key, secret },
    /** One of the two. */
    broker: { url: broker, pid: Number(pid) },
    /** The line that tells a shell where it is. */
    credentials,
    async stop(): Promise<unknown> {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      return await ended;
    },
  };
}

/** Whether the proxy is there; where the tests must not be skipped it is taken for granted. */
function hasProxy(proxy: string): boolean {
  if (process.env['CI'] || !spawnSync(proxy, ['-v'], { env: { PATH } }).error) return true;
  process.stdout.write(`${proxy} is not installed: the example of a cluster behind it is skipped\n`);
  return false;
}

for (const proxy of ['haproxy', 'nginx']) {
  describe.skipIf(!hasRedis || !hasProxy(proxy))(`a cluster behind ${proxy}`, { timeout: 60_000 }, () => {
    let example: Awaited<ReturnType<typeof startExample>>;
    beforeAll(async () => {
      example = await startExample(proxy);
    }, 60_000);
    afterAll(async () => {
      expect(await example.stop()).toEqual([0, null]);
    });

    test('keeps from everybody outside what is for those who run it', async () => {
      const { broker, service } = example;
      const statusOf = async (url: string) => (await fetch(url)).status;
      for (const path of ['/metrics', '/metrics?name=up', '/console/', '/console/probe']) {
        expect(await statusOf(broker.url + path), path).toBe(200);
        expect(await statusOf(service.url + path), path).toBe(404);
      }
      expect(await statusOf(`${service.url}/METRICS`)).toBe(404);
      expect(await statusOf(`${service.url}/ready`)).toBe(200);
    });

    test('works with the lines of its page', async () => {
      const { app, credentials, service } = example;
      const [connect, trigger] = pasted.map((line) => ['-c', `${credentials}\nexec ${line}`]);
      const client = run('sh', connect!);
      onTestFinished(() => void client.child.kill());
      const expectOccupied = (occupied: boolean) =>
        eventually(async () => {
          const answer = await request(service, 'GET', '/channels/news', { app });
          expect(answer).toMatchObject({ body: { occupied } });
        });
      await expectOccupied(true);
      const backend = run('sh', trigger!);
      const ended = once(backend.child, 'exit');
      expect(await client.printed.next()).toContain('from anywhere');
      expect(await ended).toEqual([0, null]);
      client.child.kill();
      await expectOccupied(false);
    });

    test('is one service, also when one of its brokers is killed', async () => {
      const { app, broker, service } = example;
      const clients = await Promise.all([1, 2].map(() => connectPusher(service, { key: app.key })));
      const events = await Promise.all(
        clients.map(async (client) => listen(await join(client, 'news'), 'e')),
      );
      await publish(service, 'news', 'e', '1', {}, app);
      for (const inbox of events) expect(await inbox.next()).toBe(1);

      // The proxy gives each broker one of them, so one comes back on the other broker.
      const before = clients.map((client) => client.connection.socket_id);
      const back = clients.map((client) =>
        listen(client.channel('news'), 'pusher:subscription_succeeded').next(),
      );
      process.kill(broker.pid, 'SIGKILL');
      await Promise.any(back);
      await publish(service, 'news', 'e', '2', {}, app);
      for (const inbox of events) expect(await inbox.next()).toBe(2);
      const after = clients.map((client) => client.connection.socket_id);
      expect(after.filter((id, index) => id === before[index])).toHaveLength(1);
    });
  });
}
