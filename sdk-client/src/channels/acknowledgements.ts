import type { Clock } from '../connection/clock.ts';
import { asObject, type Message } from '../connection/protocol.ts';
import { type Deferred, deferred } from '../deferred.ts';
import { CountersignError, type ErrorCode } from '../errors.ts';

/** A client event that the broker has published. */
export interface Published {
  /** Its position, if the channel has a history. */
  readonly position?: string;
}

/** Client events that were sent and have no answer yet. */
export class Acknowledgements {
  readonly #clock: Clock;
  readonly #timeout: number;
  readonly #pending = new Map<string, Deferred<Published>>();
  #lastId = 0;

  constructor({ clock, requestTimeout }: { readonly clock: Clock; readonly requestTimeout: number }) {
    this.#clock = clock;
    this.#timeout = requestTimeout;
  }

  /**
   * Sends an event, and waits for its answer.
   *
   * @param send returns whether it was sent
   * @param isAnswered whether the broker answers
   */
  publish(send: (id?: string) => boolean, isAnswered: boolean): Promise<Published> {
    const answer = deferred<Published>();
    const id = isAnswered ? String(++this.#lastId) : undefined;
    if (!send(id)) answer.reject(new CountersignError('not_subscribed', 'The channel is not subscribed'));
    else if (id === undefined) answer.resolve({});
    else {
      this.#pending.set(id, answer);
      const cancel = this.#clock.after(this.#timeout, () => this.#refuse(id, 'timeout', 'No answer'));
      answer.promise.then(cancel, cancel);
    }
    return answer.promise;
  }

  /** Handles an answer of the broker. */
  receive({ event, data }: Message): void {
    const { id, code, error, position } = asObject(data) ?? {};
    if (event.endsWith(':nack')) this.#refuse(String(id), code as ErrorCode, String(error));
    else if (event.endsWith(':ack'))
      this.#take(String(id))?.resolve(position ? { position: String(position) } : {});
  }

  /** The connection is lost, and with it the answers. */
  lost(): void {
    for (const id of [...this.#pending.keys()]) this.#refuse(id, 'disconnected', 'The connection was lost');
  }

  #refuse(id: string, code: ErrorCode, message: string): void {
    this.#take(id)?.reject(new CountersignError(code, message));
  }

  #take(id: string): Deferred<Published> | undefined {
    const answer = this.#pending.get(id);
    this.#pending.delete(id);
    return answer;
  }
}
