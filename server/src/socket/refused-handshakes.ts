import type { Duplex } from 'node:stream';
import { codes, type Disconnect } from '../errors.ts';
import { frames } from '../protocol/frames.ts';
import type { ClientSocket } from './client-socket.ts';

/** Sockets that may be held at a time; beyond it they are closed at once. */
const MAX_HELD = 5000;

/** Clients that are upgraded only to be told why they may not come in: browsers cannot see it otherwise. */
export class RefusedHandshakes {
  /** Sockets that wait for their close frame. */
  readonly #held = new Map<ClientSocket, NodeJS.Timeout>();

  /**
   * Tells one, and closes it. Clients that are refused for want of capacity come back after a constant second, so
   * they are held for a random time, to spread their return.
   *
   * @param holdMs at most so many milliseconds
   */
  refuse(webSocket: ClientSocket, socket: Duplex, why: Disconnect, holdMs: number): void {
    webSocket.on('error', ignore);
    const say = (): void => {
      this.#held.delete(webSocket);
      socket.write(frames.error(why.code, why.reason));
      webSocket.dismiss(why);
    };
    const isHeld = why.code === codes.overCapacity && holdMs > 0 && this.#held.size < MAX_HELD;
    if (!isHeld) return say();
    this.#held.set(webSocket, setTimeout(say, Math.random() * holdMs));
    webSocket.on('close', () => {
      clearTimeout(this.#held.get(webSocket));
      this.#held.delete(webSocket);
    });
  }

  /** Ends those who are held at once. */
  close(): void {
    for (const [webSocket, timer] of this.#held) {
      clearTimeout(timer);
      webSocket.terminate();
    }
    this.#held.clear();
  }
}

function ignore(): void {}
