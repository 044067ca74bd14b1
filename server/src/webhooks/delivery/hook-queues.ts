import type { Hook } from '../../apps/hook.ts';
import { Lane } from './lane.ts';

/** One hook, and its lanes that have something to deliver. */
export class HookQueues {
  readonly lanes = new Map<string, Lane>();
  /** Lanes to which something was appended since the pruning of lanes began; `undefined` if none is under way. */
  pruning: Set<string> | undefined;
  #nextLook: NodeJS.Timeout | undefined;

  /** @param hook as it is configured now */
  constructor(public hook: Hook) {}

  /** Returns a lane, which is new if nothing waited in it. */
  open(name: string): Lane {
    let lane = this.lanes.get(name);
    if (!lane) {
      lane = new Lane(name, () => this.hook);
      this.lanes.set(name, lane);
    }
    return lane;
  }

  /** Queries later what the hook has to deliver, because the last query failed. */
  lookLater(delayMs: number, look: () => void): void {
    clearTimeout(this.#nextLook);
    this.#nextLook = setTimeout(look, delayMs);
  }

  /** Ends all that waits. */
  stop(): void {
    clearTimeout(this.#nextLook);
    for (const lane of this.lanes.values()) lane.stop();
  }
}
