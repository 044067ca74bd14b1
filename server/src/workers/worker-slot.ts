import type { Logger } from 'pino';
import { type BackoffRange, backoffMs } from '../async/backoff.ts';
import type { Listening, StartMessage } from './protocol.ts';
import type { WorkerProcess } from './worker-process.ts';

/** A worker that listened for so many milliseconds ended for a new reason, so it is replaced without delay. */
const STABLE_MS = 30_000;
/** The pauses before replacements in a row. The first replacement has none. */
const PAUSES: BackoffRange = { firstMs: 100, mostMs: 10_000 };

/** The place of one worker: when the worker ends unexpectedly, another one is forked. */
export class WorkerSlot {
  readonly #parts: WorkerSlotParts;
  /** The current worker, and those that start or drain beside it. */
  readonly #running = new Set<WorkerProcess>();
  /** The current worker. */
  #worker: WorkerProcess | undefined;
  /** Since when it listens, as `performance.now()` counts; `undefined` if it does not. */
  #listeningSince: number | undefined;
  /** Replacements in a row. */
  #replacements = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** Another worker is about to take over. */
  #replacing = false;

  constructor(parts: WorkerSlotParts) {
    this.#parts = parts;
  }

  /** All workers that run. */
  get workers(): Iterable<WorkerProcess> {
    return this.#running;
  }

  get isListening(): boolean {
    return this.#listeningSince !== undefined;
  }

  /**
   * Forks a worker and lets it begin. From then on it is the current one, and is replaced when it ends.
   *
   * @throws Error if it cannot listen
   */
  async start(): Promise<Listening> {
    const worker = this.#parts.fork();
    this.#running.add(worker);
    try {
      const listening = await worker.begin(this.#parts.startMessage());
      this.#worker = worker;
      this.#listeningSince = performance.now();
      void this.#watch(worker);
      this.#parts.onListening();
      return listening;
    } catch (error) {
      worker.kill();
      await worker.ended;
      this.#running.delete(worker);
      throw error;
    }
  }

  /**
   * Starts another worker, and then drains the current one: at each moment one of them accepts connections.
   *
   * @throws Error if the new worker cannot listen: nothing is changed then
   */
  async replace(timeoutMs: number): Promise<void> {
    const before = this.#worker;
    // A worker that ended is being replaced already.
    if (!before || !this.isListening) return;
    this.#replacing = true;
    try {
      await this.start();
    } catch (error) {
      if (!this.#running.has(before)) this.#restart();
      throw error;
    } finally {
      this.#replacing = false;
    }
    await before.drain(timeoutMs, 'replaced');
  }

  /** Drains its workers, and kills those that take too long. */
  async drain(timeoutMs: number): Promise<void> {
    this.#close();
    await Promise.all([...this.#running].map((worker) => worker.drain(timeoutMs, 'stopping')));
  }

  /** Kills its workers. */
  async kill(): Promise<void> {
    this.#close();
    for (const worker of this.#running) worker.kill();
    await Promise.all([...this.#running].map((worker) => worker.ended));
  }

  async #watch(worker: WorkerProcess): Promise<void> {
    const { code, signal } = await worker.ended;
    this.#running.delete(worker);
    if (worker !== this.#worker) return;
    const wasStable = performance.now() - (this.#listeningSince ?? 0) > STABLE_MS;
    this.#listeningSince = undefined;
    if (this.#closed || this.#replacing) return;
    this.#parts.log.error({ worker: worker.number, workerPid: worker.pid, code, signal }, 'worker ended');
    this.#parts.onEnded();
    if (wasStable) this.#replacements = 0;
    this.#restart();
  }

  #restart(): void {
    const { log, number } = this.#parts;
    const delay = this.#replacements === 0 ? 0 : backoffMs(this.#replacements, Math.random(), PAUSES);
    this.#replacements += 1;
    this.#timer = setTimeout(() => {
      this.start().then(
        () => log.info({ worker: number, workerPid: this.#worker?.pid }, 'worker replaced'),
        (error: unknown) => {
          if (this.#closed) return;
          log.error({ err: error, worker: number }, 'failed to replace worker');
          this.#restart();
        },
      );
    }, delay);
  }

  #close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}

export interface WorkerSlotParts {
  readonly number: number;
  readonly fork: () => WorkerProcess;
  /** What a worker that starts now begins with. */
  readonly startMessage: () => StartMessage;
  /** Called when a worker listens. */
  readonly onListening: () => void;
  /** Called when the current worker has ended unexpectedly. */
  readonly onEnded: () => void;
  readonly log: Logger;
}
