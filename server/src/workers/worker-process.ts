import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import type { MetricObject } from 'prom-client';
import type { BusListener } from '../adapter/adapter.ts';
import type { AppFigures } from '../adapter/node-figures.ts';
import { NOTHING_DONE, type NodeAnswer, type Question } from '../adapter/questions.ts';
import type { AppConfig } from '../apps/app.ts';
import type { AppChanges } from '../apps/app-changes.ts';
import type { DrainReason } from '../broker.ts';
import type { ParentState } from './parent-state.ts';
import type { GroupStatus, Listening, StartMessage, WorkerApi } from './protocol.ts';
import { Rpc } from './rpc/rpc.ts';
import { Watchdog } from './watchdog.ts';
import { passOn, WorkerSession } from './worker-session.ts';

/** Milliseconds that a worker has to begin to listen. */
const BEGIN_TIMEOUT_MS = 30_000;
/** Milliseconds that a worker has to answer with its metrics. */
const METRICS_TIMEOUT_MS = 2000;
/** Milliseconds that a worker has to take over other apps. */
const RELOAD_TIMEOUT_MS = 2000;
/** Milliseconds that a drained worker has to end by itself. */
const EXIT_TIMEOUT_MS = 2000;
/** Descriptor of the connection to the parent, in both: the one after the standard streams and node's own channel. */
export const RPC_FD = 4;

/** How a worker has ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A worker process, as its parent sees it. */
export class WorkerProcess {
  readonly number: number;
  readonly pid: number | undefined;
  /** Resolves when it has ended, and what it held is released. */
  readonly ended: Promise<Ending>;
  readonly #process: Worker;
  readonly #stream: Duplex;
  readonly #log: Logger;
  readonly #rpc: Rpc<WorkerApi>;
  #drained = false;

  /**
   * Forks a worker, which then waits for {@link begin}.
   *
   * @param metrics those of all processes as one
   */
  constructor(number: number, state: ParentState, metrics: () => Promise<string>) {
    cluster.setupPrimary({ stdio: ['inherit', 'inherit', 'inherit', 'ipc', 'pipe'] });
    const forked = cluster.fork();
    this.number = number;
    this.#process = forked;
    this.#log = state.log;
    this.pid = forked.process.pid;

    const stream = forked.process.stdio[RPC_FD];
    if (!(stream instanceof Duplex)) throw new Error('A worker has no connection to its parent');
    this.#stream = stream;
    const listener: BusListener = {
      deliver: (message) => passOn(message, this.#rpc),
      obey: (command) => this.#rpc.notify('listener', 'obey', [command]),
      missed: (missed) => this.#rpc.call('listener', 'missed', [missed]),
      answer: (question) => this.#ask(question),
      proveAgain: () => this.#rpc.notify('listener', 'proveAgain', []),
    };
    const session = new WorkerSession(state, listener, metrics);
    const onFault = (error: unknown, call: string) => {
      state.log.error({ err: error, worker: number, call }, 'call from a worker failed');
    };
    this.#rpc = new Rpc(stream, session.api, onFault, (bytes) => session.publish(bytes));
    const exited = endingOf(forked);
    this.ended = this.#rpc.ended
      .then(() => {
        // A worker that is cut off must not go on with what is released here. After a drain it only writes its log.
        if (this.#drained) setTimeout(() => this.kill(), EXIT_TIMEOUT_MS).unref();
        else this.kill();
        return session.end(!this.#drained);
      })
      .then(() => exited);
  }

  /**
   * Lets it listen. From then on it is killed when its event loop does not turn for `nodeTimeoutSeconds`.
   *
   * @throws Error if it does not listen in time
   */
  async begin(message: StartMessage): Promise<Listening> {
    const listening = await this.#rpc.call('worker', 'begin', [message], { timeoutMs: BEGIN_TIMEOUT_MS });
    const { nodeTimeoutSeconds } = message.config;
    new Watchdog(this.#stream, nodeTimeoutSeconds, () => {
      this.#log.error({ worker: this.number, workerPid: this.pid, nodeTimeoutSeconds }, 'worker hangs');
      this.kill();
    });
    return listening;
  }

  /** Resolves when it has changed apps, or has no time for them: it takes them over before anything that it is sent later. */
  async takeApps(changes: AppChanges): Promise<void> {
    await this.#inTime(this.#rpc.call('worker', 'takeApps', [changes], { timeoutMs: RELOAD_TIMEOUT_MS }));
  }

  /** Tells it that the configuration was read again, after it has the changed apps. */
  async reload(apps: readonly AppConfig[]): Promise<void> {
    await this.#inTime(this.#rpc.call('worker', 'reload', [apps], { timeoutMs: RELOAD_TIMEOUT_MS }));
  }

  figures(appIds: readonly string[]): Promise<readonly AppFigures[]> {
    return this.#rpc.call('worker', 'figures', [appIds], { timeoutMs: METRICS_TIMEOUT_MS });
  }

  connections(): Promise<number> {
    return this.#rpc.call('worker', 'connections', [], { timeoutMs: METRICS_TIMEOUT_MS });
  }

  load(): Promise<number> {
    return this.#rpc.call('worker', 'load', [], { timeoutMs: METRICS_TIMEOUT_MS });
  }

  setStatus(status: GroupStatus): void {
    this.#rpc.notify('worker', 'setStatus', [status]);
  }

  metrics(): Promise<readonly MetricObject[]> {
    return this.#rpc.call('worker', 'metrics', [], { timeoutMs: METRICS_TIMEOUT_MS });
  }

  /**
   * Ends it gracefully, and kills it if that takes too long.
   *
   * @param reason `replaced`: another worker listens in its place already
   */
  async drain(timeoutMs: number, reason: DrainReason): Promise<void> {
    try {
      await this.#rpc.call('worker', 'drain', [reason], { timeoutMs });
      this.#drained = true;
      this.#rpc.end();
    } catch (error) {
      this.#log.error({ err: error, worker: this.number, workerPid: this.pid }, 'failed to drain worker');
      this.kill();
    }
    await this.ended;
  }

  async #inTime(taken: Promise<void>): Promise<void> {
    await taken.catch((error: unknown) => {
      this.#log.warn({ err: error, worker: this.number }, 'worker takes long to take over the apps');
    });
  }

  async #ask(question: Question): Promise<NodeAnswer> {
    try {
      return await this.#rpc.call('listener', 'answer', [question]);
    } catch (error) {
      // One that has ended holds nothing.
      if (this.#stream.destroyed) return NOTHING_DONE;
      throw error;
    }
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
    // The process could not be started.
    return { code: null, signal: null };
  }
}
