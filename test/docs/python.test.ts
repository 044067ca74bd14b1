/** The backend of docs/python.md, run by Python, with a client that it lets in. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { PresenceChannel } from '@countersign/sdk-client';
import { expect, onTestFinished, test } from 'vitest';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { nextEvent, startClient } from '../helpers/clients/client-start.ts';
import { newFolder } from '../helpers/folder.ts';
import { freePort } from '../helpers/redis/redis.ts';

const hasPython = spawnSync('python3', ['--version']).status === 0;
if (!hasPython) console.warn('skipped, since no python3 is in the path: docs/python.md');

test.skipIf(!hasPython)('a client joins what it may, and gets what the backend publishes', async () => {
  const broker = await startServer();
  const port = await freePort();
  const page = await readFile(new URL('../../docs/python.md', import.meta.url), 'utf8');
  const code = /^```python\n([\s\S]*?)^```$/m.exec(page)?.[1] ?? '';
  const file = join(newFolder(), 'backend.py');
  await writeFile(
    file,
    code
      .replace('http://127.0.0.1:6001', `http://127.0.0.1:${broker.port}`)
      .replace("'1', 'dev-key'", `'${APP.id}', '${APP.key}'`)
      .replace('3000', String(port)),
  );
  const child = spawn('python3', [file], {
    env: { PATH: process.env['PATH'], COUNTERSIGN_SECRET: APP.secret },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  await once(createInterface(child.stdout), 'line');

  const endpoint = `http://127.0.0.1:${port}`;
  const client = startClient(broker as never, {
    channelAuthorization: { endpoint: `${endpoint}/countersign/auth` },
    logLevel: 'silent',
  });
  const [inbox, lobby, other] = ['private-user-7', 'presence-lobby', 'private-user-8'].map((name) =>
    client.subscribe(name),
  );
  await expect(other!.ready).rejects.toMatchObject({ code: 'auth_failed', status: 403 });
  expect(((await lobby!.ready) as PresenceChannel).members.me?.id).toBe('7');
  const message = nextEvent(await inbox!.ready, 'message');
  expect((await fetch(`${endpoint}/hello`, { method: 'POST' })).status).toBe(200);
  expect(await message).toEqual({ text: 'Hello, user 7' });
});
