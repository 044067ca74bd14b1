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

/** Has Redis run scripts. */
export class ScriptRunner {
  readonly #link: ReconnectingClient;
  readonly #timeoutMs: number;
  /** The difference between the clock of Redis and ours, in microseconds; `undefined` before the first answer. */
  #ahead: number | undefined;

  /** @param timeoutMs milliseconds after which nobody waits for an answer any longer */
  constructor(link: ReconnectingClient, timeoutMs: number) {
    this.#link = link;
    this.#timeoutMs = timeoutMs;
  }

  /** Tells what time it was at Redis not long ago, in microseconds. */
  synchronize(time: number): void {
    this.#ahead = time - performance.now() * 1000;
  }

  /**
   * Runs a script that reads, or may take effect at any time.
   *
   * @throws Unavailable if it was not run
   * @throws InDoubt if there is no telling
   */
  async run(script: Script, key: string, ...args: readonly (string | number)[]): Promise<unknown> {
    const { client } = this.#link;
    // Of two keys that are never there a cluster says "try again" while it moves what they name to another server. With
    // one it would send us there, and the script would begin with nothing beside what is on its way.
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
   * Runs a script that takes effect before this gives up waiting for its answer, or never, wherever it is held up.
   *
   * @throws Unavailable if it was not run
   * @throws InDoubt if there is no telling
   */
  async runBeforeDeadline(
    script: Script,
    key: string,
    ...args: readonly (string | number)[]
  ): Promise<unknown> {
    if (this.#ahead === undefined) throw new Unavailable('Redis has not told the time yet');
    const deadline = this.#ahead + (performance.now() + this.#timeoutMs * DEADLINE) * 1000;
    const answer = await this.run(script, key, deadline.toFixed(0), ...args);
    if (answer === EXPIRED) throw new Unavailable('Redis was reached too late');
    return answer;
  }
}

/** Redis has refused it, or it was not sent. */
function wasNotRun(error: unknown): boolean {
  return [ErrorReply, ClientClosedError, ClientOfflineError].some((kind) => error instanceof kind);
}
