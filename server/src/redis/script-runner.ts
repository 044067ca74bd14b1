import { ClientClosedError, ClientOfflineError, ErrorReply } from 'redis';
import { InDoubt, Unavailable } from '../errors.ts';
import type { ReconnectingClient } from './reconnecting-client.ts';
import { reasonOf } from './reconnecting-client.ts';
import type { Script } from './script.ts';
import { withTimeout } from './timeout.ts';

/** The answer of a script that ran after its deadline and changed nothing. */
const EXPIRED = 'expired';
/** The part of the timeout within which a change may be made; the rest is for the answer to arrive. */
const DEADLINE = 0.8;

/** Runs scripts in Redis. */
export class ScriptRunner {
  readonly #link: ReconnectingClient;
  readonly #timeoutMs: number;
  /** The clock of Redis minus the monotonic clock, in microseconds; `undefined` before the first answer. */
  #clockOffset: number | undefined;

  /** @param timeoutMs milliseconds after which an answer is no longer waited for */
  constructor(link: ReconnectingClient, timeoutMs: number) {
    this.#link = link;
    this.#timeoutMs = timeoutMs;
  }

  /** @param time the time of Redis a moment ago, in microseconds */
  synchronize(time: number): void {
    this.#clockOffset = time - performance.now() * 1000;
  }

  /**
   * Runs a script that reads, or may take effect at any time.
   *
   * @throws Unavailable if it was not run
   * @throws InDoubt if it is unknown whether it was run
   */
  async run(script: Script, key: string, ...args: readonly (string | number)[]): Promise<unknown> {
    const { client } = this.#link;
    // Neither key exists. For two missing keys a cluster answers "try again" while it moves their slot to another server.
    // For one it would redirect the script there, where it would start without the keys that are still being moved.
    const call = { keys: [key, `${key}:`], arguments: args.map(String) };
    try {
      return await withTimeout(this.#timeoutMs, client.evalSha(script.sha1, call).catch(evaluate));
    } catch (error) {
      const reason = error instanceof Unavailable ? error.message : `Redis: ${reasonOf(error)}`;
      throw wasNotRun(error)
        ? new Unavailable(reason, { cause: error })
        : new InDoubt(reason, { cause: error });
    }

    function evaluate(error: unknown): Promise<unknown> {
      if (!reasonOf(error).startsWith('NOSCRIPT')) throw error;
      return client.eval(script.text, call);
    }
  }

  /**
   * Runs a script that takes effect before the timeout of its answer, or never, wherever it is delayed.
   *
   * @throws Unavailable if it was not run
   * @throws InDoubt if it is unknown whether it was run
   */
  async runBeforeDeadline(
    script: Script,
    key: string,
    ...args: readonly (string | number)[]
  ): Promise<unknown> {
    if (this.#clockOffset === undefined) throw new Unavailable('Redis has not answered a heartbeat yet');
    const deadline = this.#clockOffset + (performance.now() + this.#timeoutMs * DEADLINE) * 1000;
    const answer = await this.run(script, key, deadline.toFixed(0), ...args);
    if (answer === EXPIRED) throw new Unavailable('Redis was reached too late');
    return answer;
  }
}

/** Whether Redis refused the script, or the script was not sent. */
function wasNotRun(error: unknown): boolean {
  return [ErrorReply, ClientClosedError, ClientOfflineError].some((kind) => error instanceof kind);
}
