import type { Duplex } from 'node:stream';

/** Checks within the time-out of a process, and heartbeats that it sends meanwhile. */
const CHECKS = 10;

/**
 * Milliseconds between two heartbeats.
 *
 * @param timeoutSeconds silence after which a process counts as hanging
 */
export function beatMs(timeoutSeconds: number): number {
  return (timeoutSeconds * 1000) / CHECKS;
}

/**
 * Notices that a process sends nothing any more. It counts checks instead of time, because after a suspended machine
 * wakes up, all processes were silent and none of them hangs.
 */
export class Watchdog {
  readonly #timer: NodeJS.Timeout;
  #silentChecks = 0;

  /**
   * @param stream of the process; any data counts, since a heartbeat may wait behind other data
   * @param timeoutSeconds silence after which the process counts as hanging
   * @param onSilence called once
   */
  constructor(stream: Duplex, timeoutSeconds: number, onSilence: () => void) {
    this.#timer = setInterval(() => {
      this.#silentChecks += 1;
      if (this.#silentChecks < CHECKS) return;
      this.end();
      onSilence();
    }, beatMs(timeoutSeconds)).unref();
    stream.on('data', () => {
      this.#silentChecks = 0;
    });
    stream.on('close', () => this.end());
  }

  end(): void {
    clearInterval(this.#timer);
  }
}
