/** How the process ends: because it is asked to, or because of an error that nobody caught. */
import type { Logger } from 'pino';
import type { Broker } from '../broker.ts';
import { exitAfterLog } from '../log/log.ts';

export class Stop {
  readonly #log: Logger;
  #starting: Promise<Pick<Broker, 'drain'>> | undefined;
  #timeoutSeconds = 0;
  #stopping = false;

  /** From now on an error that nobody caught, in a promise or elsewhere, ends the process. */
  constructor(log: Logger) {
    this.#log = log;
    // Node raises a promise that was rejected and that nobody waits for as an error, too.
    process.on('uncaughtException', (err, origin) => {
      log.fatal({ err, origin }, 'unhandled error');
      // It may have left something half done: the process ends as gracefully as it still can, and another one begins anew.
      this.#stop(1);
    });
  }

  /**
   * From now on there is something to drain, as soon as it has started.
   *
   * @param timeoutSeconds after which the process ends by force
   */
  drains(starting: Promise<Pick<Broker, 'drain'>>, timeoutSeconds: number): void {
    this.#starting = starting;
    this.#timeoutSeconds = timeoutSeconds;
  }

  /** From now on the process ends when it is asked to. */
  onSignals(): void {
    const stop = (signal: NodeJS.Signals) => {
      if (!this.#stopping) this.#log.info({ signal }, 'stopping');
      this.#stop(0);
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
  }

  /** Ends gracefully; asked again, at once. */
  #stop(code: 0 | 1): void {
    if (this.#stopping) process.exit(1);
    if (!this.#starting) return exitAfterLog(1);
    this.#stopping = true;
    setTimeout(() => {
      this.#log.error('stopped by force: draining took too long');
      exitAfterLog(1);
    }, this.#timeoutSeconds * 1000);
    this.#starting
      .then((broker) => broker.drain())
      .then(
        () => exitAfterLog(code),
        (err: unknown) => {
          this.#log.fatal({ err }, 'drain failed');
          exitAfterLog(1);
        },
      );
  }
}
