import type { Hook } from '../../apps/hook.ts';

/**
 * What a lane does: nothing (`idle`); wait for more events to join its first delivery (`gathering`); wait for its
 * turn (`queued`); send (`busy`); wait for the next attempt (`resting`).
 */
export type LaneState = 'idle' | 'gathering' | 'queued' | 'busy' | 'resting';

/** The deliveries of one hook about one channel or user, which are sent in order, one request after the other. */
export class Lane {
  state: LaneState = 'idle';
  /** Events that have gathered since the lane was idle. */
  gathered = 0;
  /** Whether something was appended, or changed from outside, while the lane was busy. */
  hasNews = false;
  /** Failed attempts since the last delivery that was accepted. */
  failures = 0;
  /** When the retries of its first delivery end, in Unix milliseconds; `undefined` if it has not failed. */
  endsAt: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly name: string,
    /** As it is configured now. */
    readonly hook: () => Hook,
  ) {}

  /** Waits in a state; ends an earlier wait. */
  wait(state: 'gathering' | 'resting' | 'queued', delayMs: number, then: () => void): void {
    this.stop();
    this.state = state;
    this.#timer = setTimeout(then, delayMs);
  }

  /** Ends the wait, if there is one. */
  stop(): void {
    clearTimeout(this.#timer);
    this.state = 'idle';
  }
}
