import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import type { MetricObject } from 'prom-client';
import type { BusListener } from '../adapter/adapter.ts';
import type { AppConfig } from '../apps/app.ts';
import type { ParentState } from './parent-state.ts';
import type { GroupStatus, Listening, StartMessage, WorkerApi } from './protocol.ts';
import { Rpc } from './rpc.ts';
import { Watchdog } from './watchdog.ts';
import { WorkerSession } from './worker-session.ts';

/** Milliseconds that a worker has to begin to listen. */
const BEGIN_TIMEOUT_MS = 30_000;
/** Milliseconds that a worker has to tell its metrics. */
const METRICS_TIMEOUT_MS = 2000;
/** Milliseconds that a drained worker has to end by itself. */
const EXIT_TIMEOUT_MS = 2000;
/** Descriptor of the connection to the parent, in both: the one after the standard streams and node's own channel. */
export const RPC_FD = 4;

/** How a worker has ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One worker, as the parent sees it. */
export class WorkerProcess {
  readonly number: number;
  readonly pid: number | undefined;
  /** Resolves when it has ended, and what it held is given back. */
  readonly ended: Promise<Ending>;
  readonly #process: Worker;
  readonly #stream: Duplex;
  readonly #log: Logger;
  readonly #line: Rpc<WorkerApi>;
  #drained = false;

  /**
   * Forks a worker, which then waits for {@link begin}.
   *
   * @param metrics those of all processes as one
   */
  constructor(number: number, shared: ParentState, metrics: () => Promise<string>) {
    cluster.setupPrimary({ stdio: ['inherit', 'inherit', 'inherit', 'ipc', 'pipe'] });
    const forked = cluster.fork();
    this.number = number;
    this.#process = forked;
    this.#log = shared.log;
    this.pid = forked.process.pid;

    const stream = forked.process.stdio[RPC_FD];
    if (!(stream instanceof Duplex)) throw new Error('A worker has no line to its parent');
    this.#stream = stream;
    const worker: BusListener = {
      deliver: (message) => this.#line.notify('deliver', [message]),
      obey: (command) => this.#line.notify('obey', [command]),
      missed: (missed) => this.#line.call('missed', [missed]),
    };
    const lease = new WorkerSession(shared, worker, metrics);
    this.#line = new Rpc(stream, lease, (error, call) => {
      shared.log.error({ err: error, worker: number, call }, 'call of a worker failed');
    });
    const exited = endingOf(forked);
    this.ended = this.#line.ended
      .then(() => {
        // A worker that is cut off must not go on with what is released here. After a drain it only writes its log.
        if (this.#drained) setTimeout(() => this.kill(), EXIT_TIMEOUT_MS).unref();
        else this.kill();
        return lease.end();
      })
      .then(() => exited);
  }

  /**
   * Lets it listen. From then on it is killed when its event loop does not turn for `nodeTimeoutSeconds`.
   *
   * @throws Error if it cannot, or has not in time
   */
  async begin(work: StartMessage): Promise<Listening> {
    const listening = await this.#line.call('begin', [work], { timeoutMs: BEGIN_TIMEOUT_MS });
    const { nodeTimeoutSeconds } = work.config;
    new Watchdog(this.#stream, nodeTimeoutSeconds, () => {
      this.#log.error({ worker: this.number, workerPid: this.pid, nodeTimeoutSeconds }, 'worker hangs');
      this.kill();
    });
    return listening;
  }

  reload(apps: readonly AppConfig[]): void {
    this.#line.notify('reload', [apps]);
  }

  stand(standing: GroupStatus): void {
    this.#line.notify('stand', [standing]);
  }

  metrics(): Promise<readonly MetricObject[]> {
    return this.#line.call('metrics', [], { timeoutMs: METRICS_TIMEOUT_MS });
  }

  /**
   * Ends it gracefully, and kills it if that takes too long.
   *
   * @param replaced another worker has its place already
   */
  async drain(timeoutMs: number, replaced = false): Promise<void> {
    try {
      await this.#line.call('drain', [replaced], { timeoutMs });
      this.#drained = true;
      this.#line.end();
    } catch (error) {
      this.#log.error({ err: error, worker: this.number, workerPid: this.pid }, 'failed to drain worker');
      this.kill();
    }
    await this.ended;
  }

  /** Ends it at once. */
  kill(): void {
    this.#process.process.kill('SIGKILL');
  }
}

async function endingOf({ process }: Worker): Promise<Ending> {
  try {
    const [code, signal] = await once(process, 'exit');
    return { code, signal };
  } catch {
    // It could not even be started.
    return { code: null, signal: null };
  }
}
