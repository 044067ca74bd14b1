import type { Clock } from '../connection/clock.ts';
import { asObject, type Message } from '../connection/protocol.ts';
import { CountersignError, type ErrorCode } from '../errors.ts';

/** A client event that the broker has published. */
export interface Published {
  /** Its position, if the channel has a history. */
  readonly position?: string;
}

interface Pending {
  resolve(published: Published): void;
  reject(code: ErrorCode, message: string): void;
}

/** Client events that were sent and have no answer yet. */
export class Acknowledgements {
  readonly #clock: Clock;
  readonly #timeout: number;
  readonly #pending = new Map<string, Pending>();
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
    const id = isAnswered ? String(++this.#lastId) : undefined;
    if (!send(id)) return refused('not_subscribed', 'The channel is not subscribed');
    if (id === undefined) return Promise.resolve({});
    return handled(
      new Promise((resolve, reject) => {
        const settle = (act: () => void): void => {
          cancel();
          this.#pending.delete(id);
          act();
        };
        const pending: Pending = {
          resolve: (published) => settle(() => resolve(published)),
          reject: (code, message) => settle(() => reject(new CountersignError(code, message))),
        };
        const cancel = this.#clock.after(this.#timeout, () => pending.reject('timeout', 'No answer'));
        this.#pending.set(id, pending);
      }),
    );
  }

  /** Handles an answer of the broker. */
  receive({ event, data }: Message): void {
    const { id, code, error, position } = asObject(data) ?? {};
    const pending = this.#pending.get(String(id));
    if (event.endsWith(':nack')) pending?.reject(code as ErrorCode, String(error));
    else if (event.endsWith(':ack')) pending?.resolve(position ? { position: String(position) } : {});
  }

  /** The connection is lost, and with it the answers. */
  lost(): void {
    for (const pending of this.#pending.values())
      pending.reject('disconnected', 'The connection was lost before the answer');
  }
}

/** A rejection that an app need not handle: most events are sent without looking at what becomes of them. */
function handled<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => {});
  return promise;
}

function refused(code: ErrorCode, message: string): Promise<Published> {
  return handled(Promise.reject(new CountersignError(code, message)));
}
