/** What becomes of a broker in which an error is caught by nobody. */
import { describe, expect, test } from 'vitest';
import { startCli } from '../helpers/brokers/cli.ts';
import { APP } from '../helpers/brokers/server.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { TestClient } from '../helpers/clients/client.ts';

/** Has a process fail in its own midst when it gets SIGWINCH, which nothing else listens to. */
const failing = (how: string) => ({
  nodeFlags: ['--import', `data:text/javascript,process.on("SIGWINCH", () => { ${how} })`],
});
const KINDS = [
  ['a promise that is rejected', 'Promise.reject(new Error("on purpose"))', 'unhandledRejection'],
  ['an error that is thrown', 'throw new Error("on purpose")', 'uncaughtException'],
] as const;

describe.each(KINDS)('%s', { timeout: 60_000 }, (_what, how, origin) => {
  test('ends a broker with 1, once it has drained', async () => {
    const apps = JSON.stringify([{ id: APP.id, keys: [{ key: APP.key, secret: APP.secret }] }]);
    const cli = startCli(['start', '--port', '0'], {
      ...failing(how),
      env: { COUNTERSIGN_APPS: apps, COUNTERSIGN_DRAIN_WINDOW_SECONDS: '0' },
    });
    const port = Number((await cli.logged('listening'))['port']);
    const client = new TestClient(`ws://127.0.0.1:${port}/app/${APP.key}?protocol=7`);
    await client.established();
    await cli.logged('effective limits');
    cli.signal('SIGWINCH');
    expect(await client.closed()).toMatchObject({ code: 4200 });
    expect(await cli.result()).toMatchObject({ code: 1, stderr: '' });
    expect(await cli.logged('unhandled error')).toMatchObject({
      level: 60,
      origin,
      err: { type: 'Error', message: 'on purpose', stack: expect.stringContaining('on purpose') },
    });
    expect(cli.count('drained')).toBe(1);
  });

  test('ends one of several workers, which is replaced', async () => {
    const group = await startWorkers(failing(how));
    const [lost, kept] = [await group.connectTo(1), await group.connectTo(2)];
    process.kill(await group.pidOf(1), 'SIGWINCH');
    expect(await lost.closed()).toMatchObject({ code: 4200 });
    await group.cli.logged('worker replaced');
    expect(await group.cli.logged('unhandled error')).toMatchObject({ level: 60, worker: 1, origin });
    expect(await group.cli.logged('worker ended')).toMatchObject({ worker: 1, code: 1, signal: null });
    await group.connectTo(1);
    expect(await kept.nothing()).toEqual([]);
  });
});

test('what fails again while it drains ends it at once', { timeout: 60_000 }, async () => {
  const group = await startWorkers({
    ...failing('throw new Error("on purpose")'),
    config: { drainWindowSeconds: 20 },
  });
  const clients = [await group.connectTo(1), await group.connectTo(1)];
  process.kill(await group.pidOf(1), 'SIGWINCH');
  expect(await clients[0]!.closed()).toMatchObject({ code: 4200 });
  process.kill(await group.pidOf(1), 'SIGWINCH');
  expect(await clients[1]!.closed()).toMatchObject({ code: 1006 });
  await group.cli.logged('worker replaced');
});
