import { z } from 'zod';
import type {
  HistoryEvent,
  HistoryPage,
  HistoryQuery,
  LostCode,
  Position,
} from '../../../history/history.ts';
import type { ScriptRunner } from '../../../redis/script-runner.ts';
import type { History } from '../../adapter.ts';
import type { Topic } from '../../topic.ts';
import type { Keys } from '../keys.ts';
import { eventSchema } from '../messages/envelope.ts';
import { scripts } from '../scripts.ts';
import { idOfPosition, newNonce, positionOfId } from './ids.ts';

const pageSchema = z.union([
  z.enum(['position_too_old', 'position_unknown']),
  z.tuple([
    z.string(),
    z.string(),
    z.string(),
    z.number(),
    z.union([z.literal(0), z.literal(1)]),
    z.array(z.string()),
  ]),
]);

/** The histories of channels, in Redis. */
export class RedisHistory implements History {
  readonly #commands: ScriptRunner;
  readonly #keys: Keys;

  constructor(commands: ScriptRunner, keys: Keys) {
    this.#commands = commands;
    this.#keys = keys;
  }

  async read(
    topic: Topic,
    { after, last, limit, bytes, without }: HistoryQuery,
  ): Promise<HistoryPage | LostCode> {
    const afterId = after === undefined ? '' : idOfPosition(topic, after);
    if (afterId === undefined) return 'position_unknown';
    const key = this.#keys.topic(topic);
    const answer = pageSchema.parse(
      await this.#commands.run(
        scripts.readHistory,
        key,
        newNonce(),
        afterId,
        last ?? '',
        limit,
        bytes,
        without ?? '',
      ),
    );
    if (typeof answer === 'string') return answer;
    const [lastId, beginId, nextId, count, isComplete, entries] = answer;
    return {
      events: entries.map((entry) => readEntry(topic, entry)),
      begin: positionOfId(topic, beginId),
      next: positionOfId(topic, nextId),
      isComplete: isComplete === 1,
      count,
      position: positionOfId(topic, lastId),
      version: versionOf(lastId),
    };
  }

  async position(topic: Topic): Promise<Position> {
    const id = await this.#commands.run(scripts.historyPosition, this.#keys.topic(topic), newNonce());
    return positionOfId(topic, z.string().parse(id));
  }

  async purge(topic: Topic): Promise<void> {
    await this.#commands.run(scripts.purgeHistory, this.#keys.topic(topic), newNonce());
  }
}

/** Reads "ID MESSAGE". */
function readEntry(topic: Topic, entry: string): HistoryEvent {
  const space = entry.indexOf(' ');
  const id = entry.slice(0, space);
  const { name, data, userId, except, traceparent } = eventSchema.parse(JSON.parse(entry.slice(space + 1)));
  const version = versionOf(id);
  // Versions are the time of Redis in microseconds.
  const atMs = Math.floor(version / 1000);
  return { position: positionOfId(topic, id), version, name, data, userId, except, traceparent, atMs };
}

function versionOf(id: string): number {
  return Number(id.slice(0, id.indexOf('-')));
}
