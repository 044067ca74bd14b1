import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { publish } from './helpers/api.ts';
import { Inbox, listen } from './helpers/inbox.ts';
import { connectPusher, join } from './helpers/official.ts';
import { hasRedis } from './helpers/redis.ts';

const START = fileURLToPath(new URL('../docs/examples/cluster/start.js', import.meta.url));
const PATH = `${process.env['PATH']}:/usr/sbin`;

describe.each(['haproxy', 'nginx'])('behind %s', (proxy) => {
  const hasProxy = Boolean(process.env['CI']) || !spawnSync(proxy, ['-v'], { env: { PATH } }).error;
  if (!hasProxy)
    process.stdout.write(`${proxy} is not installed: the example of a cluster behind it is skipped\n`);

  const whereItIs = test.skipIf(!hasRedis || !hasProxy);
  whereItIs(
    'the example is one service, also when one of its brokers is killed',
    { timeout: 60_000 },
    async () => {
      const child = spawn(process.execPath, [START], {
        env: { PATH, PROXY: proxy },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      onTestFinished(async () => {
        const ended = once(child, 'exit');
        child.kill('SIGTERM');
        expect(await ended).toEqual([0, null]);
      });
      const inbox = new Inbox<string>('what the example prints');
      createInterface({ input: child.stdout }).on('line', inbox.put);
      const lines = (await inbox.until((line) => line.startsWith('Kill'))).join('\n');
      const [, port, id = '', key = '', secret = ''] =
        /:(\d+) {2}app (\S+) {2}key (\S+) {2}secret (\S+)/.exec(lines) ?? [];
      const pid = Number(/process (\d+)/.exec(lines)?.[1]);
      const service = { host: '127.0.0.1', port: Number(port), url: `http://127.0.0.1:${port}` };

      const clients = await Promise.all([1, 2].map(() => connectPusher(service, { key })));
      const events = await Promise.all(
        clients.map(async (client) => listen(await join(client, 'news'), 'e')),
      );
      await publish(service, 'news', 'e', '1', {}, { id, key, secret });
      for (const inbox of events) expect(await inbox.next()).toBe(1);

      // The proxy gives each broker one of them, so one comes back on the other broker.
      const before = clients.map((client) => client.connection.socket_id);
      const back = clients.map((client) =>
        listen(client.channel('news'), 'pusher:subscription_succeeded').next(),
      );
      process.kill(pid, 'SIGKILL');
      await Promise.any(back);
      await publish(service, 'news', 'e', '2', {}, { id, key, secret });
      for (const inbox of events) expect(await inbox.next()).toBe(2);
      const after = clients.map((client) => client.connection.socket_id);
      expect(after.filter((id, index) => id === before[index])).toHaveLength(1);
    },
  );
});
