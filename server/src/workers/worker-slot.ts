import type { Logger } from 'pino';
import type { Listening, StartMessage } from './protocol.ts';
import type { WorkerProcess } from './worker-process.ts';

export interface WorkerSlotParts {
  readonly number: number;
  readonly fork: () => WorkerProcess;
  /** What a worker begins with now. */
  readonly work: () => StartMessage;
  /** Is told when a worker has begun to listen. */
  readonly onListening: () => void;
  /** Is told when a worker has ended without being asked to. */
  readonly onEnded: () => void;
  readonly log: Logger;
}

/** A worker that has listened for so long in milliseconds ended for another reason than those before it. */
const STABLE_MS = 30_000;
/** Milliseconds before a second replacement in a row; each further one waits twice as long. The first does not wait. */
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 10_000;

/** A post that one worker holds: when it ends, another one is forked. */
export class WorkerSlot {
  readonly #parts: WorkerSlotParts;
  /** All that run: beside the one who holds it, one that begins to or has been replaced. */
  readonly #running = new Set<WorkerProcess>();
  /** Who holds it. */
  #worker: WorkerProcess | undefined;
  /** Since when it listens, as `performance.now()` counts; `undefined` if it does not. */
  #listeningSince: number | undefined;
  /** Replacements in a row. */
  #replacements = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** Another worker is being given the post. */
  #renewing = false;

  constructor(parts: WorkerSlotParts) {
    this.#parts = parts;
  }

  /** Those that run. */
  get workers(): Iterable<WorkerProcess> {
    return this.#running;
  }

  get isListening(): boolean {
    return this.#listeningSince !== undefined;
  }

  /**
   * Forks a worker, lets it begin, and gives it the post. From then on one that ends is replaced.
   *
   * @throws Error if it cannot listen
   */
  async fill(): Promise<Listening> {
    const worker = this.#parts.fork();
    this.#running.add(worker);
    try {
      const listening = await worker.begin(this.#parts.work());
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
   * Gives the post to another worker, and then ends the one that held it gracefully: at each moment one of them accepts.
   *
   * @throws Error if the other one cannot listen: nothing is changed then
   */
  async renew(timeoutMs: number): Promise<void> {
    const before = this.#worker;
    // One that ended and is being replaced gets there by itself.
    if (!before || !this.isListening) return;
    this.#renewing = true;
    try {
      await this.fill();
    } catch (error) {
      if (!this.#running.has(before)) this.#replace();
      throw error;
    } finally {
      this.#renewing = false;
    }
    await before.drain(timeoutMs, true);
  }

  /** Ends its workers gracefully, and kills those for which that takes too long. */
  async drain(timeoutMs: number): Promise<void> {
    this.#close();
    await Promise.all([...this.#running].map((worker) => worker.drain(timeoutMs)));
  }

  /** Ends its workers at once. */
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
    if (this.#closed || this.#renewing) return;
    this.#parts.log.error({ worker: worker.number, workerPid: worker.pid, code, signal }, 'worker ended');
    this.#parts.onEnded();
    if (wasStable) this.#replacements = 0;
    this.#replace();
  }

  #replace(): void {
    const { log, number } = this.#parts;
    const delay =
      this.#replacements === 0 ? 0 : Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (this.#replacements - 1));
    this.#replacements += 1;
    this.#timer = setTimeout(() => {
      this.fill().then(
        () => log.info({ worker: number, workerPid: this.#worker?.pid }, 'worker replaced'),
        (error: unknown) => {
          if (this.#closed) return;
          log.error({ err: error, worker: number }, 'worker could not be replaced');
          this.#replace();
        },
      );
    }, delay);
  }

  #close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}
