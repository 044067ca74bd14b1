import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { connect, type TestClient } from '../clients/client.ts';
import { connectPusher, type Identity, type Pusher } from '../clients/official.ts';
import { readSamples } from '../metrics.ts';
import { Cli, type CliOptions } from './cli.ts';
import { APP } from './server.ts';

/** Clients that are opened until one is where the test wants it. */
const MAX_TRIES = 20;

/** The settings of a test: those of the file, each optional, and those of its one app. */
export interface GroupSettings extends CliOptions, FileSettings {
  readonly workers?: number;
}

interface FileSettings {
  readonly app?: Readonly<Record<string, unknown>> | undefined;
  readonly config?: Readonly<Record<string, unknown>> | undefined;
}

/** A running `countersign start --workers`. */
export class RunningGroup {
  readonly host = '127.0.0.1';
  readonly cli: Cli;
  /** Where it listens; 0 until it does. */
  port = 0;
  readonly #folder = mkdtempSync(join(tmpdir(), 'countersign-'));

  constructor({ workers = 2, app, config, ...options }: GroupSettings) {
    this.configure({ app, config });
    this.cli = new Cli(['start', '--config', this.#file, '--workers', String(workers)], options);
  }

  get url(): string {
    return `http://${this.host}:${this.port}`;
  }

  /** Writes the file that it reads at the start, and at each reload. */
  configure({ app, config }: FileSettings): void {
    const apps = [{ id: APP.id, keys: [{ key: APP.key, secret: APP.secret }], ...app }];
    // Each connection is logged with its worker.
    const settings = { port: 0, drainWindowSeconds: 0, log: { level: 'debug' }, ...config, apps };
    writeFileSync(this.#file, JSON.stringify(settings));
  }

  /** The number of the worker that has a connection. */
  async workerOf(socketId: string): Promise<number> {
    return JSON.parse(await this.cli.line(`"socketId":"${socketId}"`)).worker;
  }

  /** The process id of the first worker that had this number. */
  async pidOf(worker: number): Promise<number> {
    return JSON.parse(await this.cli.line(`"worker":${worker},"host"`)).pid;
  }

  /** Kills a worker that was not replaced before, and waits until it is. */
  async killWorker(worker: number): Promise<void> {
    process.kill(await this.pidOf(worker), 'SIGKILL');
    await this.cli.logged('worker replaced');
  }

  /** A raw client on a certain worker. */
  async connectTo(worker: number): Promise<TestClient> {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const client = await connect(this);
      if ((await this.workerOf(client.socketId)) === worker) return client;
      client.close();
    }
    throw new Error(`No connection went to worker ${worker}`);
  }

  /** `pusher-js` on a certain worker. */
  async pusherTo(worker: number, identity?: Identity): Promise<Pusher> {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const client = await connectPusher(this, identity);
      if ((await this.workerOf(client.connection.socket_id)) === worker) return client;
      client.disconnect();
    }
    throw new Error(`No connection went to worker ${worker}`);
  }

  /** How ready it is, asked on a connection of its own, which any worker may get. */
  async ready(): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
    const answer = await fetch(`${this.url}/ready`, { headers: { Connection: 'close' } });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  }

  /** The samples of the metrics, each under its name and labels as they stand there. */
  async metrics(): Promise<Readonly<Record<string, number>>> {
    return Object.fromEntries(await readSamples(`${this.url}/metrics`));
  }

  /** Kills it. */
  async close(): Promise<void> {
    await this.cli.kill();
    rmSync(this.#folder, { recursive: true });
  }

  get #file(): string {
    return join(this.#folder, 'countersign.json');
  }
}

/** Starts two workers, unless told otherwise, on a free port; whoever starts them closes them. */
export async function launchWorkers(settings: GroupSettings = {}): Promise<RunningGroup> {
  const group = new RunningGroup(settings);
  try {
    group.port = Number((await group.cli.logged('all workers listen'))['port']);
    return group;
  } catch (error) {
    await group.close();
    throw error;
  }
}

/** Starts two workers, unless told otherwise; what still runs at the end of the test is killed. */
export async function startWorkers(settings?: GroupSettings): Promise<RunningGroup> {
  const group = await launchWorkers(settings);
  onTestFinished(() => group.close());
  return group;
}
