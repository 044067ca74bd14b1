import type { Hook } from '../../apps/hook.ts';

/**
 * What a lane does: it has nothing to do; its first delivery waits for more events to join it; its turn has come; it
 * is being sent; it waits for its next attempt.
 */
export type LaneState = 'idle' | 'gathering' | 'queued' | 'busy' | 'resting';

/** What one hook is told about one channel or user, in order: one request after the other. */
export class Lane {
  state: LaneState = 'idle';
  /** Events that have gathered since the lane was idle. */
  gathered = 0;
  /** Something was appended, or changed from outside, while the lane was busy. */
  hasNews = false;
  /** Failed attempts since something of the lane was taken. */
  failures = 0;
  /** Until when its first delivery is tried, in Unix milliseconds; `undefined` if it has not failed. */
  endsAt: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly name: string,
    /** As it is configured now. */
    readonly hook: () => Hook,
  ) {}

  /** Waits in a state; an earlier wait is over. */
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
