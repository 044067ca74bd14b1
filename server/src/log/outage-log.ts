import type { Logger } from 'pino';

/** Milliseconds without a failure after which an outage is over: a disk that is nearly full takes one write and refuses the next. */
const STABLE_MS = 1000;

/**
 * Logs when an operation begins to fail, and when it works again. While it fails now and then, that is one outage, so
 * its failures do not fill the log.
 */
export class OutageLog {
  readonly #log: Logger;
  readonly #began: string;
  readonly #ended: string;
  /** As `performance.now()` counts; `undefined`: there is no outage. */
  #lastFailureAt: number | undefined;
  /** Runs from a success soon after a failure: there may be nothing more to do that could show that it is over. */
  #end: NodeJS.Timeout | undefined;

  /**
   * @param began the message of the first failure
   * @param ended the message once no operation has failed for a second, and one has succeeded
   */
  constructor(log: Logger, began: string, ended: string) {
    this.#log = log;
    this.#began = began;
    this.#ended = ended;
  }

  failed(error: unknown, fields: object = {}): void {
    clearTimeout(this.#end);
    this.#end = undefined;
    if (this.#lastFailureAt === undefined) this.#log.error({ err: error, ...fields }, this.#began);
    this.#lastFailureAt = performance.now();
  }

  /** @returns whether there is no outage any more */
  succeeded(fields: object = {}): boolean {
    if (this.#lastFailureAt === undefined) return true;
    const leftMs = this.#lastFailureAt + STABLE_MS - performance.now();
    if (leftMs <= 0) {
      this.#over(fields);
      return true;
    }
    this.#end ??= setTimeout(() => this.#over(fields), leftMs).unref();
    return false;
  }

  #over(fields: object): void {
    clearTimeout(this.#end);
    this.#end = undefined;
    this.#lastFailureAt = undefined;
    this.#log.info(fields, this.#ended);
  }
}
