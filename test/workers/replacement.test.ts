/** SIGUSR2: all workers are replaced, one after the other, and nobody notices. */
import { connect as connectTcp } from 'node:net';
import { setTimeout as passing } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { type RunningGroup, startWorkers } from '../helpers/brokers/workers.ts';
import { open } from '../helpers/clients/client.ts';
import { listen } from '../helpers/clients/event-inbox.ts';
import { join } from '../helpers/clients/official.ts';

const TIMEOUT = 120_000;

/** Does something again and again, until it is told to stop. */
class Loop {
  count = 0;
  readonly failures: unknown[] = [];
  #stopped = false;
  readonly #ended: Promise<void>;

  constructor(step: () => Promise<unknown>) {
    this.#ended = this.#run(step);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#ended;
  }

  async #run(step: () => Promise<unknown>): Promise<void> {
    while (!this.#stopped) {
      await step().then(
        () => {
          this.count += 1;
        },
        (error: unknown) => this.failures.push(error),
      );
      // The others need the processor, too.
      await passing(20);
    }
  }
}

/** A connection that is accepted. */
function reach({ host, port }: RunningGroup): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(port, host);
    socket.on('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.on('error', reject);
  });
}

describe('SIGUSR2', () => {
  test('replaces all workers, and no connection and no publish fails', { timeout: TIMEOUT }, async () => {
    const group = await startWorkers();
    const pushers = [await group.pusherTo(1), await group.pusherTo(2)];
    const inboxes = [];
    for (const pusher of pushers) {
      const channel = await join(pusher, 'news');
      inboxes.push(listen(channel, 'last'));
    }
    const states = pushers.map((pusher) => listen<{ current: string }>(pusher.connection, 'state_change'));
    const old = [await group.pidOf(1), await group.pidOf(2)];
    const loops = [
      new Loop(() => publish(group, 'news', 'headline', '"x"')),
      new Loop(() => reach(group)),
      // On a connection of its own each time.
      new Loop(async () => {
        const { status } = await fetch(`${group.url}/ready`, { headers: { Connection: 'close' } });
        expect(status).toBe(200);
      }),
    ];
    onTestFinished(async () => {
      await Promise.all(loops.map((loop) => loop.stop()));
    });
    group.cli.signal('SIGUSR2');
    await group.cli.logged('all workers replaced');
    // Each client comes back at once: it sees no state but these.
    for (const state of states) {
      expect((await state.next()).current).toBe('connecting');
      expect((await state.next()).current).toBe('connected');
    }
    await Promise.all(loops.map((loop) => loop.stop()));
    for (const { count, failures } of loops) {
      expect(failures).toEqual([]);
      expect(count).toBeGreaterThan(0);
    }
    await expect
      .poll(
        async () =>
          (await request(group, 'GET', '/channels/news', { query: { info: 'subscription_count' } })).body,
      )
      .toMatchObject({ subscription_count: 2 });
    await publish(group, 'news', 'last', '"one"');
    for (const inbox of inboxes) expect(await inbox.next()).toBe('one');
    for (const pid of old) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    expect(group.cli.count('worker ended')).toBe(0);
    expect(await group.metrics()).toMatchObject({
      countersign_workers: 2,
      countersign_workers_ended_total: 0,
    });
  });

  test('lets the workers begin with the new configuration', { timeout: TIMEOUT }, async () => {
    const group = await startWorkers();
    group.configure({ config: { activityTimeoutSeconds: 17, nodeTimeoutSeconds: 5 } });
    group.cli.signal('SIGUSR2');
    await group.cli.logged('all workers replaced');
    for (let n = 0; n < 4; n += 1) {
      expect(String(await open(group).next())).toContain('\\"activity_timeout\\":17');
    }
    expect(await group.cli.logged('changed settings wait for a restart')).toMatchObject({
      settings: ['nodeTimeoutSeconds'],
    });
  });

  test('leaves the workers where another one does not begin', { timeout: TIMEOUT }, async () => {
    const group = await startWorkers();
    const clients = [await group.connectTo(1), await group.connectTo(2)];
    group.configure({ config: { tls: { cert: '/nowhere/cert.pem', key: '/nowhere/key.pem' } } });
    group.cli.signal('SIGUSR2');
    const { err } = await group.cli.logged(
      'a worker that would replace another does not begin: the others stay',
    );
    expect(err).toMatchObject({ message: expect.stringContaining('tls.cert: got "/nowhere/cert.pem"') });
    for (const client of clients) expect(await client.nothing()).toEqual([]);
    // A worker that ends is still replaced, by one with the settings of the others.
    await group.killWorker(1);
    await group.connectTo(1);
  });
});
