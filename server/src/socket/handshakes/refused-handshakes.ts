import type { Duplex } from 'node:stream';
import { codes, type Disconnect } from '../../errors.ts';
import { frames } from '../../protocol/frames.ts';
import type { ClientSocket } from '../client-socket.ts';
import { terminatedFrame } from '../close-frame.ts';

/** Sockets that may be held at a time; further ones are closed at once. */
const MAX_HELD = 5000;

/** Refuses clients after the upgrade: browsers do not show the reason of an HTTP error. */
export class RefusedHandshakes {
  /** Sockets that are held before they get their close frame. */
  readonly #held = new Map<ClientSocket, NodeJS.Timeout>();

  /**
   * Sends the reason and closes. Clients retry one second after a refusal for lack of capacity, so such a client is
   * held for a random time first, which spreads the retries.
   *
   * @param client how to refuse it: whether it understands more than protocol 7, and the longest time to hold it
   */
  refuse(
    webSocket: ClientSocket,
    socket: Duplex,
    why: Disconnect,
    { isCapable, holdMs }: { readonly isCapable: boolean; readonly holdMs: number },
  ): void {
    webSocket.on('error', ignore);
    const close = (): void => {
      this.#held.delete(webSocket);
      if (isCapable) socket.write(terminatedFrame(why));
      socket.write(frames.error(why.code, why.errorCode, why.reason));
      webSocket.dismiss(why, isCapable);
    };
    const isHeld = why.code === codes.overCapacity && holdMs > 0 && this.#held.size < MAX_HELD;
    if (!isHeld) return close();
    this.#held.set(webSocket, setTimeout(close, Math.random() * holdMs));
    webSocket.on('close', () => {
      clearTimeout(this.#held.get(webSocket));
      this.#held.delete(webSocket);
    });
  }

  /** Ends all held sockets at once. */
  close(): void {
    for (const [webSocket, timer] of this.#held) {
      clearTimeout(timer);
      webSocket.terminate();
    }
    this.#held.clear();
  }
}

function ignore(): void {}
