import { expect, test } from 'vitest';
import { type Cli, startCli } from '../helpers/brokers/cli.ts';
import { fileWith } from '../helpers/brokers/config-file.ts';

const app = { id: 'app-1', keys: [{ key: 'key-1', secret: 'a-secret-of-the-warm-up-test' }] };

async function start(...args: string[]): Promise<Cli> {
  const config = await fileWith({ port: 0, apps: [app], drainWindowSeconds: 0 });
  return startCli(['start', '--config', config, ...args], { env: { COUNTERSIGN_WARM_UP_SECONDS: '1' } });
}

test.each([
  ['listening', []],
  ['all workers listen', ['--workers', '2']],
])('the clients of the warm-up are in no figure and in no log: %s', async (ready, args) => {
  const cli = await start(...args);
  const { port } = await cli.logged('listening');
  await cli.logged(ready);
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect(text).toContain('countersign_');
  expect(text).not.toContain('warm-up');
  expect(text).not.toMatch(/^countersign_connects_total\S* [1-9]/m);
  expect(cli.stdout).not.toContain('warm-up');
});

test('a broker that is told to stop while it warms up ends', async () => {
  const cli = await start();
  await cli.logged('node runs without the flag that saves memory per connection');
  cli.signal('SIGTERM');
  expect(await cli.result()).toMatchObject({ code: 0 });
});
