import type { Logger } from 'pino';
import type { Hook } from '../../apps/hook.ts';
import { EndpointQueue, type EndpointQueueParts } from './circuit-breaker.ts';
import type { Lane } from './lane.ts';

export interface EndpointQueuesParts extends Omit<EndpointQueueParts, 'turned'> {
  readonly log: Logger;
}

/**
 * The queues of all receivers, one for each app and URL, so that no app waits for a receiver that fails for another
 * one.
 */
export class EndpointQueues {
  readonly #parts: EndpointQueuesParts;
  readonly #receivers = new Map<string, EndpointQueue>();

  constructor(parts: EndpointQueuesParts) {
    this.#parts = parts;
  }

  /** Adds a lane to the queue of its hook's present receiver. */
  enqueue(lane: Lane): void {
    const hook = lane.hook();
    const key = keyOf(hook);
    let receiver = this.#receivers.get(key);
    if (!receiver) {
      receiver = new EndpointQueue({ ...this.#parts, turned: (works) => this.#logTurn(hook, works) });
      this.#receivers.set(key, receiver);
    }
    receiver.enqueue(lane);
  }

  /** Takes a lane out of the queue. */
  remove(lane: Lane): void {
    this.#receivers.get(keyOf(lane.hook()))?.remove(lane);
  }

  /** Forgets the receivers of all other hooks. @returns the lanes that waited for them */
  keep(hooks: Iterable<Hook>): readonly Lane[] {
    const kept = new Set(Array.from(hooks, keyOf));
    const lanes: Lane[] = [];
    for (const [key, receiver] of this.#receivers) {
      if (kept.has(key)) continue;
      this.#receivers.delete(key);
      lanes.push(...receiver.close());
    }
    return lanes;
  }

  /** Starts no further request. */
  close(): void {
    for (const receiver of this.#receivers.values()) receiver.close();
  }

  #logTurn({ appId, url }: Hook, works: boolean): void {
    const ids = { appId, receiver: new URL(url).origin };
    if (works) this.#parts.log.info(ids, 'webhook receiver works again');
    else this.#parts.log.warn(ids, 'webhook receiver fails: it is asked by one request at a time');
  }
}

function keyOf({ appId, url }: Hook): string {
  return `${appId} ${url}`;
}
