import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from 'pino';
import { z } from 'zod';
import { Unavailable } from '../../errors.ts';
import type { ScriptRunner } from '../../redis/script-runner.ts';
import { scripts } from '../cluster/scripts.ts';

/** The term of one leader. It is over when another node may have become the leader. */
export interface Leadership {
  /** Unique: the fencing token. */
  readonly id: string;
  /** Whether the previous leader handed over because its node ended: its clients may come back. */
  readonly isHandedOver: boolean;
  /** When the lease ends at the earliest, by `performance.now()`. */
  until(): number;
}

export interface FencedCommitParts {
  readonly commands: ScriptRunner;
  /** The prefix of all keys of webhooks. */
  readonly key: string;
  readonly leadership: Leadership;
  readonly log: Logger;
  /** Called when it is unknown what Redis holds: the term must end. */
  readonly onFailure: (error: unknown) => void;
}

const answerSchema = z.union([z.literal('notLeader'), z.array(z.string())]);

/** Changes of a full group. Redis is blocked while it applies them. */
const FULL = 2000;

/** The writes of one commit. */
interface Group {
  /** Fields of hashes; `undefined` deletes a field. The last change of a field counts. */
  readonly fields: Map<string, Map<string, string | undefined>>;
  readonly commands: (readonly string[])[];
  readonly done: Promise<void>;
  size: number;
}

/**
 * Commits the changes of one term to Redis in groups: the changes that arrive during a commit are the next group.
 * Redis refuses the changes of a term that is over. After a failure nothing is committed any more.
 */
export class FencedCommit {
  readonly #parts: FencedCommitParts;
  #gathering: Group | undefined;
  #last: Promise<void> = Promise.resolve();
  #isWithin = false;
  #failure: unknown;

  constructor(parts: FencedCommitParts) {
    this.#parts = parts;
  }

  /**
   * Runs work at once, which calls {@link set} and {@link run}. What it adds is committed in one step.
   *
   * @returns a promise for what it answered, once that and everything before it is committed
   */
  async add<Result>(work: () => Result | Promise<Result>): Promise<Result> {
    if (this.#failure) throw this.#failure;
    if (!this.#isWithin && this.#gathering && this.#gathering.size >= FULL) this.#gathering = undefined;
    const { done } = this.#group();
    const result = this.#run(work);
    // Both at once: the result of the work rejects with the commit if it waits for a part of it, and must not go
    // unhandled.
    await Promise.all([result, done]);
    return result;
  }

  /** Within {@link add}: sets a field of a hash, or deletes it. */
  set(hash: string, field: string, value: string | undefined): void {
    const group = this.#group();
    let fields = group.fields.get(hash);
    if (!fields) {
      fields = new Map();
      group.fields.set(hash, fields);
    }
    fields.set(field, value);
    group.size += 1;
  }

  /** Within {@link add}: runs a command, given the suffix of its key and its other arguments. */
  run(...command: readonly [command: string, key: string, ...rest: string[]]): void {
    const group = this.#group();
    group.commands.push(command);
    group.size += 1;
  }

  /** Resolves when no commit is under way. */
  settled(): Promise<void> {
    return this.#last;
  }

  #run<Result>(work: () => Result): Result {
    const wasWithin = this.#isWithin;
    this.#isWithin = true;
    try {
      return work();
    } catch (error) {
      // Never commit half of the work.
      this.#fail(error);
      throw error;
    } finally {
      this.#isWithin = wasWithin;
    }
  }

  /** The group that is being collected. */
  #group(): Group {
    if (this.#gathering) return this.#gathering;
    const done = this.#last.then(nextTurn).then(() => this.#flush(group));
    const group: Group = { fields: new Map(), commands: [], done, size: 0 };
    this.#last = done.catch(() => {});
    this.#gathering = group;
    return group;
  }

  async #flush(group: Group): Promise<void> {
    const { commands, key, leadership, log } = this.#parts;
    if (this.#gathering === group) this.#gathering = undefined;
    try {
      if (this.#failure) throw this.#failure;
      if (group.size === 0 && performance.now() < leadership.until()) return;
      const changes = JSON.stringify(changesOf(group));
      const answer = answerSchema.parse(await commands.run(scripts.commit, key, leadership.id, changes));
      if (answer === 'notLeader') throw new Unavailable('Another node is the leader of webhooks by now');
      if (answer.length > 0) logSetAside(log, answer);
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  #fail(error: unknown): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#parts.onFailure(error);
  }
}

/** @param keys ends of the names of keys that held something else than webhooks, which another program must have written */
export function logSetAside(log: Logger, keys: readonly string[]): void {
  log.error({ keys }, 'keys of webhooks in Redis had a wrong value and were set aside');
}

/** Commands, each with the suffix of its key and its other arguments. */
function changesOf({ fields, commands }: Group): readonly (readonly string[])[] {
  const changes = [...commands];
  for (const [hash, values] of fields) {
    for (const [field, value] of values) {
      changes.push(value === undefined ? ['HDEL', hash, field] : ['HSET', hash, field, value]);
    }
  }
  return changes;
}
