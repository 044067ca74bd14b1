import { z } from 'zod';
import type {
  IdempotencyRecords,
  KeyedRequest,
  Progress,
  RecordBounds,
} from '../../../idempotency/records.ts';
import type { ScriptRunner } from '../../../redis/script-runner.ts';
import { topicOf } from '../../topic.ts';
import type { Keys } from '../keys.ts';
import { scripts } from '../scripts.ts';

const ANSWERED = 'answered ';

const begunSchema = z.union([
  z.literal('mismatch'),
  z.tuple([z.number(), z.number(), z.array(z.string()), z.array(z.string())]),
]);

/** The records of all apps, in Redis. That an event is published is recorded beside its topic, in the step that publishes it. */
export class RedisRecords implements IdempotencyRecords {
  readonly #commands: ScriptRunner;
  readonly #keys: Keys;
  readonly #bounds: RecordBounds;

  constructor(commands: ScriptRunner, keys: Keys, bounds: RecordBounds) {
    this.#commands = commands;
    this.#keys = keys;
    this.#bounds = bounds;
  }

  async begin(
    appId: string,
    requests: readonly KeyedRequest[],
    seconds: number,
  ): Promise<readonly Progress[] | 'mismatch'> {
    const bounds = this.#bounds.boundsOf(appId);
    const answer = begunSchema.parse(
      await this.#commands.run(
        scripts.beginRequests,
        this.#keys.idempotency(appId),
        seconds,
        bounds.records,
        bounds.bytes,
        ...requests.flatMap(({ id, fingerprint, hasAnswer, channels }) => [
          id,
          fingerprint,
          hasAnswer ? 'running' : 'open',
          channels.join(' '),
        ]),
      ),
    );
    if (answer === 'mismatch') return answer;
    const [records, bytes, progress, forgotten] = answer;
    Object.assign(this.#bounds.countsOf(appId), { records, bytes });
    if (forgotten.length > 0) this.#forget(appId, forgotten);
    return progress.map(progressOf);
  }

  async end(appId: string, id: string, answer: string | undefined): Promise<void> {
    const ended = answer === undefined ? ['open', ''] : ['answered', answer];
    await this.#commands.run(scripts.endRequest, this.#keys.idempotency(appId), id, ...ended);
  }

  /** Forgets all requests of an app, which is gone. */
  async forgetApp(appId: string): Promise<void> {
    const key = this.#keys.idempotency(appId);
    for (;;) {
      const answer = begunSchema.parse(await this.#commands.run(scripts.beginRequests, key, 1, 0, 0));
      const [, , , forgotten] = answer === 'mismatch' ? [0, 0, [], []] : answer;
      if (forgotten.length === 0) return;
      await Promise.all(this.#publishesOf(appId, forgotten));
    }
  }

  /** @param forgotten ids, each with the names of its channels */
  #forget(appId: string, forgotten: readonly string[]): void {
    this.#bounds.countsOf(appId).evicted += forgotten.length / 2;
    // What is not forgotten now expires.
    for (const each of this.#publishesOf(appId, forgotten)) each.catch(() => {});
    this.#bounds.onBound?.(appId);
  }

  /** Forgets which channels have the events of requests. */
  #publishesOf(appId: string, forgotten: readonly string[]): readonly Promise<unknown>[] {
    return forgotten.flatMap((id, n) => {
      if (n % 2 === 1) return [];
      const channels = forgotten[n + 1]?.split(' ') ?? [];
      return channels.map((channel) =>
        this.#commands.run(scripts.forgetPublished, this.#keys.topic(topicOf(appId, channel)), id),
      );
    });
  }
}

function progressOf(text: string): Progress {
  if (text.startsWith(ANSWERED)) return { answer: text.slice(ANSWERED.length) };
  return text === 'running' ? 'running' : 'open';
}
