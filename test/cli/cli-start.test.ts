import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Cli, type CliOptions, runCli, startCli } from '../helpers/brokers/cli.ts';
import { fileWith } from '../helpers/brokers/config-file.ts';
import { TestClient } from '../helpers/clients/client.ts';
import { connectRaw } from '../helpers/clients/raw.ts';

const app = (id: number) => ({ id: `app-${id}`, keys: [{ key: `key-${id}`, secret: `secret-${id}` }] });

interface Started {
  readonly cli: Cli;
  readonly file: string;
  readonly port: number;
}

async function start(settings: object = {}, options?: CliOptions): Promise<Started> {
  const file = await fileWith({ port: 0, apps: [app(1)], drainWindowSeconds: 0, ...settings });
  const cli = startCli(['start', '--config', file], options);
  const { port } = await cli.logged('listening');
  return { cli, file, port: Number(port) };
}

function open({ port }: Started, key: string): TestClient {
  const client = new TestClient(`ws://127.0.0.1:${port}/app/${key}?protocol=7`);
  onTestFinished(() => client.close());
  return client;
}

/** A request whose body never comes, so that it never ends. */
async function hangingRequest({ port }: Started): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  // A process that ends by force may reset it.
  socket.on('error', () => {});
  socket.write(
    'POST /apps/app-1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n',
  );
  await once(socket, 'data');
  return socket;
}

describe('countersign start', () => {
  test('states the effective limits', async () => {
    const { cli } = await start({ apps: [{ ...app(1), limits: { connections: 7 } }] });
    const [, soft, hard] =
      /^Max open files +(\d+) +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    expect(await cli.logged('effective limits')).toMatchObject({
      openFiles: { soft: Number(soft), hard: Number(hard) },
      maxMessageBytes: 65_536,
      maxBufferedBytes: 1_048_576,
      apps: [{ appId: 'app-1', connections: 7, eventDataBytes: 10_240 }],
    });
  });

  test('says when node runs without the heap flag', async () => {
    const { cli } = await start();
    await cli.logged('effective limits');
    expect(cli.count('node runs without the flag that saves memory per connection')).toBe(1);
  });

  test.each<CliOptions>([
    { nodeFlags: ['--max-semi-space-size=4'] },
    { env: { NODE_OPTIONS: '--max-semi-space-size=2' } },
  ])('says nothing of the heap flag with %j', async (options) => {
    const { cli } = await start({}, options);
    await cli.logged('effective limits');
    expect(cli.count('node runs without the flag that saves memory per connection')).toBe(0);
  });

  test('ends with 1 where its port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const file = await fileWith({ apps: [app(1)] });
    const { code, stderr } = await runCli(['start', '--config', file, '--port', String(port)]);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `port: cannot listen on 127.0.0.1:${port}, because another process does (EADDRINUSE)\n`,
    });
  });
});

describe('signals', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s closes connections with 4200 and ends with 0',
    async (name) => {
      const started = await start();
      const client = await open(started, 'key-1').established();
      started.cli.signal(name);
      expect(await client.closed()).toMatchObject({ code: 4200 });
      expect(await started.cli.result()).toMatchObject({ code: 0, signal: null });
      expect(await started.cli.logged('stopping')).toMatchObject({ signal: name });
    },
  );

  test('a second signal ends at once', async () => {
    const started = await start();
    await hangingRequest(started);
    started.cli.signal('SIGTERM');
    await started.cli.logged('draining');
    started.cli.signal('SIGTERM');
    expect(await started.cli.result()).toMatchObject({ code: 1 });
    expect(started.cli.count('stopped by force: draining took too long')).toBe(0);
  });

  test('a request that makes no end is cut, and all ends with 0', async () => {
    const started = await start({ drainTimeoutSeconds: 4 });
    const request = await hangingRequest(started);
    const cut = once(request, 'close');
    started.cli.signal('SIGTERM');
    expect(await started.cli.result()).toMatchObject({ code: 0 });
    await cut;
    expect(started.cli.count('drained')).toBe(1);
  });

  test('what does not end within drainTimeoutSeconds is ended with 1', async () => {
    const started = await start({ drainTimeoutSeconds: 1 });
    // It has five seconds to answer the close frame, and never does.
    const deaf = await connectRaw({ host: '127.0.0.1', port: started.port }, '/app/key-1?protocol=7');
    started.cli.signal('SIGTERM');
    expect(await deaf.closed()).toMatchObject({ code: 4200 });
    expect(await started.cli.result()).toMatchObject({ code: 1 });
    expect(started.cli.count('stopped by force: draining took too long')).toBe(1);
  });

  test('SIGHUP takes over the apps of the file', async () => {
    const started = await start({ apps: [app(1), app(2)] });
    const [first, second] = [open(started, 'key-1'), open(started, 'key-2')];
    await Promise.all([first.established(), second.established()]);
    await writeFile(started.file, JSON.stringify({ port: 1, drainWindowSeconds: 0, apps: [app(1), app(3)] }));
    started.cli.signal('SIGHUP');
    expect(await started.cli.logged('changed settings wait for a restart')).toMatchObject({
      settings: ['port'],
    });
    await open(started, 'key-3').established();
    await second.closed();
    expect(await first.nothing()).toEqual([]);
  });

  test.each<[what: string, content: string, problem: RegExp]>([
    ['is not JSON', '{ "apps": ', /not JSON/],
    ['is wrong', '{ "apps": [{}] }', /apps\[0\]\.id: missing/],
    ['has no apps', '{ "apps": [] }', /there is none/],
  ])('SIGHUP with a file that %s changes nothing', async (_what, content, problem) => {
    const started = await start();
    const client = await open(started, 'key-1').established();
    await writeFile(started.file, content);
    started.cli.signal('SIGHUP');
    const { err } = await started.cli.logged('reload failed, nothing is changed');
    expect(err).toMatchObject({ type: 'ConfigError', message: expect.stringMatching(problem) });
    expect(await client.nothing()).toEqual([]);
    await open(started, 'key-1').established();
  });
});
