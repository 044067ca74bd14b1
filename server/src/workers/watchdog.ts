import type { Duplex } from 'node:stream';

/** Looks at a process in the time in which it must be heard, and signs of life that it gives meanwhile. */
const LOOKS = 10;

/**
 * Milliseconds between two signs of life.
 *
 * @param timeoutSeconds within which a process must be heard
 */
export function beatMs(timeoutSeconds: number): number {
  return (timeoutSeconds * 1000) / LOOKS;
}

/**
 * Notices that a process is not heard any more. It counts its looks and not the time, so that whoever slept himself,
 * as on a suspended machine, does not blame the others for it.
 */
export class Watchdog {
  readonly #timer: NodeJS.Timeout;
  #looksInSilence = 0;

  /**
   * @param stream on which the process is heard, whatever it says: where much waits, its next sign of life may be late
   * @param timeoutSeconds within which it must be heard
   * @param onSilence is told once
   */
  constructor(stream: Duplex, timeoutSeconds: number, onSilence: () => void) {
    this.#timer = setInterval(() => {
      this.#looksInSilence += 1;
      if (this.#looksInSilence < LOOKS) return;
      this.end();
      onSilence();
    }, beatMs(timeoutSeconds)).unref();
    stream.on('data', () => {
      this.#looksInSilence = 0;
    });
    stream.on('close', () => this.end());
  }

  end(): void {
    clearInterval(this.#timer);
  }
}
