import { Worker } from 'node:worker_threads';
import type { Logger } from 'pino';
import { type BackoffRange, backoffMs } from '../async/backoff.ts';
import { DataError } from '../data/database.ts';
import { InDoubt, Unavailable } from '../errors.ts';
import type { OutboxBounds } from '../webhooks/outbox/outbox.ts';
import type { Opened, Opening, Question, Questions, Said, StoreCalls, ThreadData } from './calls.ts';

export interface DataThreadParts {
  readonly directory: string;
  readonly bounds: OutboxBounds;
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
  readonly log: Logger;
  /** Called with the content of the directory, at the start and after the thread was replaced. */
  readonly onOpened: (opened: Opened) => void;
  /** Called with the news of the thread, before the answers that came with them. */
  readonly onSaid: (said: Said) => void;
}

/** Milliseconds that an answer may take. */
const TIMEOUT_MS = 10_000;
/** Milliseconds between two checks for calls that have timed out. */
const SWEEP_MS = 500;
/** Calls that may wait for their answers, and their bytes. */
const MAX_ASKED = 100_000;
const MAX_ASKED_BYTES = 64 * 1024 * 1024;
/** The pauses before a thread that has died is replaced. */
const PAUSES: BackoffRange = { firstMs: 500, mostMs: 30_000 };

interface Asked {
  resolve(value: unknown): void;
  reject(error: Error): void;
  /** As `performance.now()` counts. */
  readonly deadline: number;
  readonly bytes: number;
}

/**
 * The other side of the thread that has the data directory open. The calls of one turn of the event loop travel in
 * one message. A thread that dies is replaced; the outcome of its open calls is in doubt.
 */
export class DataThread {
  readonly #parts: DataThreadParts;
  readonly #asked = new Map<number, Asked>();
  readonly #sweep: NodeJS.Timeout;
  #askedBytes = 0;
  #lastId = 0;
  #gathered: Question[] = [];
  /** `undefined` while no thread works. */
  #worker: Worker | undefined;
  #isLate = false;
  #restarts = 0;
  #restart: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(parts: DataThreadParts) {
    this.#parts = parts;
    this.#sweep = setInterval(() => this.#rejectLate(), SWEEP_MS).unref();
  }

  /** @throws DataError if the data directory cannot be used */
  static async open(parts: DataThreadParts): Promise<DataThread> {
    const thread = new DataThread(parts);
    try {
      await thread.#start();
      return thread;
    } catch (error) {
      clearInterval(thread.#sweep);
      throw error;
    }
  }

  /** Why nothing can be stored at present; `undefined` if it can. */
  get fault(): string | undefined {
    if (!this.#worker) return 'The data directory is not open';
    return this.#isLate ? 'The data directory does not answer' : undefined;
  }

  /**
   * @param bytes what the question takes while it waits, about
   * @throws Unavailable if it was not asked, or could not be done
   * @throws InDoubt if there is no answer: in time, or at all
   */
  ask<Name extends keyof StoreCalls>(
    call: Name,
    args: Parameters<StoreCalls[Name]>,
    bytes = 0,
  ): ReturnType<StoreCalls[Name]> {
    return this.#ask(call, args, bytes) as ReturnType<StoreCalls[Name]>;
  }

  /** Ends the thread once all calls are committed. */
  async close(): Promise<void> {
    const worker = this.#worker;
    const exited = worker && new Promise((resolve) => worker.once('exit', resolve));
    try {
      await this.ask('close', []);
    } catch (error) {
      this.#parts.log.error({ err: error }, 'data directory could not be closed');
      await worker?.terminate();
    }
    this.#closed = true;
    await exited;
    clearTimeout(this.#restart);
    clearInterval(this.#sweep);
  }

  async #ask(call: keyof StoreCalls, args: readonly unknown[], bytes: number): Promise<unknown> {
    if (!this.#worker) throw new Unavailable('The data directory is not open');
    if (this.#asked.size >= MAX_ASKED || this.#askedBytes + bytes > MAX_ASKED_BYTES) {
      throw new Unavailable('Too much waits for the data directory');
    }
    this.#lastId += 1;
    const id = this.#lastId;
    if (this.#gathered.length === 0) setImmediate(() => this.#flush());
    this.#gathered.push({ id, call, args });
    this.#askedBytes += bytes;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject, deadline: performance.now() + TIMEOUT_MS, bytes });
    });
  }

  #flush(): void {
    const questions = this.#gathered;
    this.#gathered = [];
    this.#worker?.postMessage({ now: this.#parts.now(), questions } satisfies Questions);
  }

  async #start(): Promise<void> {
    const { directory, bounds, now, log, onOpened } = this.#parts;
    const data: ThreadData = { directory, bounds, now: now() };
    const worker = new Worker(new URL('./store-thread.js', import.meta.url), { workerData: data });
    let cause: unknown;
    worker.on('error', (error) => {
      cause = error;
    });
    const opened = await new Promise<Opened>((resolve, reject) => {
      worker.once('message', (opening: Opening) => {
        if ('opened' in opening) return resolve(opening.opened);
        const { message, isDataError } = opening.failed;
        reject(isDataError ? new DataError(message) : new Error(message));
      });
      worker.once('exit', (code) => reject(cause ?? new Error(`The data thread ended with code ${code}`)));
    });
    if (this.#closed) return void (await worker.terminate());
    this.#worker = worker;
    worker.on('message', (said: Said) => this.#hear(said));
    worker.once('exit', (code) => {
      this.#worker = undefined;
      this.#rejectAll();
      if (this.#closed) return;
      log.error({ err: cause, code }, 'data thread ended');
      this.#startAgain();
    });
    onOpened(opened);
  }

  #startAgain(): void {
    this.#restarts += 1;
    this.#restart = setTimeout(
      () => {
        this.#start().then(
          () => this.#parts.log.info('data thread replaced'),
          (error: unknown) => {
            this.#parts.log.error({ err: error }, 'data thread could not be replaced');
            this.#startAgain();
          },
        );
      },
      backoffMs(this.#restarts, Math.random(), PAUSES),
    );
  }

  #hear(said: Said): void {
    this.#isLate = false;
    this.#restarts = 0;
    this.#parts.onSaid(said);
    for (const item of said.items) {
      if ('news' in item) continue;
      const asked = this.#forget('answer' in item ? item.answer : item.refusal);
      if ('answer' in item) asked?.resolve(item.value);
      else asked?.reject(new Unavailable(`The data directory cannot be used: ${item.message}`));
    }
  }

  #forget(id: number): Asked | undefined {
    const asked = this.#asked.get(id);
    if (asked) this.#askedBytes -= asked.bytes;
    this.#asked.delete(id);
    return asked;
  }

  #rejectLate(): void {
    const now = performance.now();
    for (const [id, { deadline }] of this.#asked) {
      if (deadline > now) return;
      this.#isLate = true;
      this.#forget(id)?.reject(new InDoubt('The data directory does not answer'));
    }
  }

  #rejectAll(): void {
    for (const id of this.#asked.keys()) {
      this.#forget(id)?.reject(new InDoubt('The data thread has ended'));
    }
  }
}
