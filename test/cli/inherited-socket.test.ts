/** A broker on a listening socket that it is handed, as by systemd. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as passing } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { publish } from '../helpers/api.ts';
import { CLI, LEASH, runCli } from '../helpers/brokers/cli.ts';
import { fileWith } from '../helpers/brokers/config-file.ts';
import { APP } from '../helpers/brokers/server.ts';
import { listen } from '../helpers/clients/event-inbox.ts';
import { connectPusher, join } from '../helpers/clients/official.ts';
import { eventually } from '../helpers/eventually.ts';

const TIMEOUT = 90_000;
const HOLDER = fileURLToPath(new URL('../helpers/socket-holder.js', import.meta.url));
const apps = [{ id: APP.id, keys: [{ key: APP.key, secret: APP.secret }] }];

/** Log lines of brokers that follow each other on one socket. */
class Service {
  readonly host = '127.0.0.1';
  readonly lines: Record<string, unknown>[] = [];
  readonly #process: ChildProcess;

  constructor(file: string, ...flags: string[]) {
    const command = [process.execPath, ...LEASH, CLI, 'start', '--config', file, ...flags];
    const holder = spawn(process.execPath, [HOLDER, ...command], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#process = holder;
    createInterface({ input: holder.stdout }).on('line', (line) => this.lines.push(JSON.parse(line)));
    onTestFinished(() => this.#end());
  }

  get port(): number {
    return Number(this.lines[0]?.['port']);
  }

  get url(): string {
    return `http://${this.host}:${this.port}`;
  }

  logged(msg: string): Record<string, unknown>[] {
    return this.lines.filter((line) => line['msg'] === msg);
  }

  /** Waits until so many brokers have begun to listen, and listen to signals. */
  async begun(count: number): Promise<void> {
    await eventually(() => expect(this.logged('effective limits')).toHaveLength(count), 60_000);
  }

  /** Asks the broker that runs to end. */
  stop(): void {
    process.kill(Number(this.logged('effective limits').at(-1)?.['pid']), 'SIGTERM');
  }

  async #end(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const ended = once(this.#process, 'exit');
    // The broker ends with its standard input, and whoever waits for it too.
    this.#process.kill('SIGKILL');
    this.#process.stdin?.destroy();
    await ended;
  }
}

/** Connects again and again: a connection that waits to be accepted is one that was not refused. */
function reachUntilStopped(port: number) {
  const failures: unknown[] = [];
  let count = 0;
  let stopped = false;
  const run = async (): Promise<void> => {
    while (!stopped) {
      const socket = connectTcp(port, '127.0.0.1');
      await once(socket, 'connect').then(
        () => {
          count += 1;
        },
        (error: unknown) => failures.push(error),
      );
      socket.destroy();
      // So that they do not fill the queue in which the clients wait, too.
      await passing(20);
    }
  };
  const ended = run();
  return {
    stop: async () => {
      stopped = true;
      await ended;
      return { count, failures };
    },
  };
}

const configuration = (settings: object = {}) =>
  fileWith({ host: '127.0.0.1', port: 1, apps, drainWindowSeconds: 0, ...settings });

describe.each([[[]], [['--workers', '2']]])('a broker on an inherited socket, with the flags %j', (flags) => {
  test('is there for stock pusher-js again without a refused connection', { timeout: TIMEOUT }, async () => {
    const service = new Service(await configuration(), ...flags);
    await service.begun(1);
    const pusher = await connectPusher(service);
    const reaching = reachUntilStopped(service.port);
    const states = listen<{ current: string }>(pusher.connection, 'state_change');
    const channel = await join(pusher, 'news');
    const events = listen(channel, 'headline');
    const subscribed = listen(channel, 'pusher:subscription_succeeded');
    service.stop();
    expect((await states.next()).current).toBe('connecting');
    await service.begun(2);
    // The next one serves the attempt that waits; where it takes ten seconds to begin, the state says so meanwhile.
    await states.until(({ current }) => current === 'connected');
    await subscribed.next();
    await publish(service, 'news', 'headline', '"again"');
    expect(await events.next()).toBe('again');
    const { count, failures } = await reaching.stop();
    expect(failures).toEqual([]);
    expect(count).toBeGreaterThan(0);
  });

  test('listens where the socket does, whatever the configuration says', { timeout: TIMEOUT }, async () => {
    const service = new Service(await configuration({ host: '0.0.0.0' }), ...flags);
    await service.begun(1);
    const message = flags.length > 0 ? 'all workers listen' : 'listening';
    expect(service.logged(message)[0]).toMatchObject({
      host: '127.0.0.1',
      port: service.port,
      // For the socket is one of the loopback.
      metrics: `${service.url}/metrics`,
    });
  });
});

test('a socket that was meant for another process is not taken', { timeout: TIMEOUT }, async () => {
  const file = await configuration({ port: 0 });
  const env = { LISTEN_PID: '1', LISTEN_FDS: '1', COUNTERSIGN_HOST: '192.0.2.1' };
  const { code, stderr } = await runCli(['start', '--config', file], { env });
  expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('EADDRNOTAVAIL') });
});
