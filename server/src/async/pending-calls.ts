import { InDoubt, Unavailable } from '../errors.ts';

/** Milliseconds between two checks for calls whose time is up. */
const CHECK_MS = 500;
/** Calls that may wait for their answers. */
const MAX_PENDING = 100_000;

interface PendingCall {
  resolve(value: unknown): void;
  reject(error: unknown): void;
  /** As `performance.now()` counts; `undefined` after the caller got its time-out. */
  readonly deadline: number | undefined;
  readonly onLateAnswer: ((value: unknown) => void) | undefined;
}

/** Calls to another process that wait for their answers, by id. */
export class PendingCalls {
  readonly #calls = new Map<number, PendingCall>();
  readonly #timer: NodeJS.Timeout;
  #lastId = 0;
  #onIdle: (() => void) | undefined;

  constructor() {
    this.#timer = setInterval(() => this.#rejectOverdue(), CHECK_MS).unref();
  }

  /**
   * Adds a call.
   *
   * @param onLateAnswer receives an answer that comes after the time-out
   * @throws Unavailable if too many calls wait
   */
  add(
    timeoutMs: number,
    onLateAnswer?: (value: unknown) => void,
  ): { readonly id: number; readonly answer: Promise<unknown> } {
    if (this.#calls.size >= MAX_PENDING) throw new Unavailable('Too many calls wait for the other process');
    this.#lastId += 1;
    const id = this.#lastId;
    const deadline = performance.now() + timeoutMs;
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#calls.set(id, { resolve, reject, deadline, onLateAnswer });
    });
    return { id, answer };
  }

  resolve(id: number, value: unknown): void {
    const call = this.#remove(id);
    if (call?.deadline === undefined) call?.onLateAnswer?.(value);
    else call.resolve(value);
  }

  reject(id: number, error: unknown): void {
    this.#remove(id)?.reject(error);
  }

  /** Resolves when no call waits any more. */
  async idle(): Promise<void> {
    while (this.#calls.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
  }

  /** Rejects all calls: the other process has ended. */
  close(): void {
    clearInterval(this.#timer);
    for (const id of [...this.#calls.keys()]) this.reject(id, new InDoubt('The other process has ended'));
  }

  #remove(id: number): PendingCall | undefined {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (this.#calls.size === 0) this.#onIdle?.();
    return call;
  }

  #rejectOverdue(): void {
    const now = performance.now();
    for (const [id, call] of this.#calls) {
      if (call.deadline === undefined || call.deadline > now) continue;
      call.reject(new InDoubt('The other process does not answer'));
      if (call.onLateAnswer) this.#calls.set(id, { ...call, deadline: undefined });
      else this.#remove(id);
    }
  }
}
