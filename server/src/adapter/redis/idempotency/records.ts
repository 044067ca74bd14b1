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

  /** @param forgotten ids, each with the names of its channels */
  #forget(appId: string, forgotten: readonly string[]): void {
    for (let n = 0; n + 1 < forgotten.length; n += 2) {
      this.#bounds.countsOf(appId).evicted += 1;
      const channels = forgotten[n + 1]?.split(' ') ?? [];
      for (const channel of channels) {
        const key = this.#keys.topic(topicOf(appId, channel));
        // What is not forgotten now expires.
        this.#commands.run(scripts.forgetPublished, key, forgotten[n] ?? '').catch(() => {});
      }
    }
    this.#bounds.onBound?.(appId);
  }
}

function progressOf(text: string): Progress {
  if (text.startsWith(ANSWERED)) return { answer: text.slice(ANSWERED.length) };
  return text === 'running' ? 'running' : 'open';
}
