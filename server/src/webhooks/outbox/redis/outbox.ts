import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { z } from 'zod';
import { appOfHook, type HookKey } from '../../../apps/hook.ts';
import type { ScriptRunner } from '../../../redis/script-runner.ts';
import { JOURNAL_BYTES, scripts } from '../../cluster/scripts.ts';
import { committedEvent } from '../../event.ts';
import { FencedCommit, type Leadership } from '../fenced-commit.ts';
import { News } from '../news.ts';
import type {
  Announced,
  Change,
  Delivery,
  EventPage,
  HookState,
  KeptBytes,
  Outbox,
  OutboxBounds,
  OutboxListener,
} from '../outbox.ts';
import { DELIVERIES, deliverySchema, hookKeySchema, RedisDeliveries } from './deliveries.ts';
import { LOG, RedisLog, SEQUENCES } from './log.ts';

export interface RedisOutboxParts extends OutboxBounds {
  readonly commands: ScriptRunner;
  /** The prefix of all keys of webhooks. */
  readonly key: string;
  readonly leadership: Leadership;
  readonly log: Logger;
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
  /** Nothing can be committed any more: the term must end. */
  readonly onFailure: (error: unknown) => void;
}

/** Hashes beside those of the deliveries and of the log: the outbox's id and last number, the states of hooks, … */
const NUMBERS = 'numbers';
const STATES = 'states';
/** … and what was announced to receivers as present, each as JSON. */
const TOLD = 'told';

const pageSchema = z.tuple([z.string(), z.array(z.string())]);
const toldSchema = z.object({ appId: z.string(), channel: z.string(), userId: z.string() });
const stateSchema = z.enum(['active', 'paused', 'disabled']);

/**
 * The outbox of a cluster, in Redis. Only the leader has it open. A new leader finds what the previous one has
 * committed, and from then on Redis refuses the writes of the previous one.
 */
export class RedisOutbox implements Outbox {
  readonly epoch = undefined;
  readonly deliveries: RedisDeliveries;
  readonly #parts: RedisOutboxParts;
  readonly #commit: FencedCommit;
  readonly #log: RedisLog;
  readonly #states = new Map<HookKey, HookState>();
  readonly #told = new Map<string, Announced>();
  #listener: OutboxListener | undefined;

  private constructor(parts: RedisOutboxParts, id: string) {
    this.#parts = parts;
    this.#commit = new FencedCommit(parts);
    const { commands, key, now, maxLogEvents: maxCount, maxBytes, maxTotalBytes } = parts;
    const listener: Pick<OutboxListener, 'overflowed' | 'dropped'> = {
      overflowed: (...news) => this.#listener?.overflowed(...news),
      dropped: (...news) => this.#listener?.dropped(...news),
    };
    this.#log = new RedisLog({
      commands,
      key,
      commit: this.#commit,
      bounds: { maxCount, maxBytes, maxTotalBytes },
      forgot: (appId, count) => listener.dropped(appId, 'event', count),
    });
    this.deliveries = new RedisDeliveries(this.#commit, { id, now, bounds: parts, listener });
  }

  /** @throws Unavailable if Redis does not answer, or another node has it open by now */
  static async open(parts: RedisOutboxParts): Promise<RedisOutbox> {
    const read = (hash: string, take: (field: string, value: string) => void) => readHash(parts, hash, take);
    const numbers = new Map<string, string>();
    await read(NUMBERS, (name, number) => numbers.set(name, number));
    const id = numbers.get('id') ?? randomBytes(8).toString('hex');
    const outbox = new RedisOutbox(parts, id);
    await outbox.#commit.add(() => outbox.#commit.set(NUMBERS, 'id', id));
    const deliveries = new Map<string, Delivery>();
    await read(DELIVERIES, (n, json) => deliveries.set(n, deliverySchema.parse(JSON.parse(json))));
    outbox.deliveries.copy.restore([...deliveries.values()], Number(numbers.get('last') ?? 0));
    await read(SEQUENCES, (appId, seq) => outbox.#log.restoreSequence(appId, seq));
    await read(LOG, (appId, json) => outbox.#log.restoreAmount(appId, json));
    await read(STATES, (hook, state) => {
      outbox.#states.set(hookKeySchema.parse(hook), stateSchema.parse(state));
    });
    await read(TOLD, (json) => outbox.#told.set(json, toldSchema.parse(JSON.parse(json))));
    return outbox;
  }

  attach(listener: OutboxListener): void {
    this.#listener = listener;
  }

  bytesOf(appId: string): KeptBytes {
    return { ...this.deliveries.copy.bytesOf(appId), event: this.#log.bytesOf(appId) };
  }

  told(): readonly Announced[] {
    return [...this.#told.values()];
  }

  async append(changes: readonly Change[]): Promise<void> {
    const news = new News();
    await this.#commit.add(() => {
      for (const change of changes) this.#append(change, news);
      this.#commit.set(NUMBERS, 'last', String(this.deliveries.copy.count));
    });
    news.tell(this.#listener);
    for (const { appId, event } of changes) if (event) void this.#log.trim(appId);
  }

  /**
   * Deletes entries of the journal in the same step that commits the changes made from them.
   *
   * @param entries their ids
   * @param bytes what they take together
   */
  async consume(entries: readonly string[], bytes: number, make: () => Promise<unknown>): Promise<void> {
    await this.#commit.add(() => {
      this.#commit.run('XDEL', 'journal', ...entries);
      this.#commit.run('DECRBY', JOURNAL_BYTES, String(bytes));
      return make();
    });
  }

  events(appId: string, afterSeq: number, limit: number): Promise<EventPage> {
    return this.#log.read(appId, afterSeq, limit);
  }

  stateOf(hook: HookKey): HookState {
    return this.#states.get(hook) ?? 'active';
  }

  async setState(hook: HookKey, state: HookState): Promise<void> {
    await this.#commit.add(() => this.#commit.set(STATES, hook, state));
    this.#states.set(hook, state);
  }

  async sweep(before: number, hooks: ReadonlySet<HookKey>): Promise<void> {
    await this.#log.sweep(before);
    await this.#commit.add(() => this.deliveries.copy.sweep(before, hooks));
  }

  async forgetApp(appId: string): Promise<void> {
    const hooks = [...this.#states.keys()].filter((hook) => appOfHook(hook) === appId);
    await this.#commit.add(() => {
      for (const told of [...this.#told.values()]) if (told.appId === appId) this.#note(told, false);
      this.#log.forgetApp(appId);
      this.deliveries.copy.forgetApp(appId);
      for (const hook of hooks) this.#commit.set(STATES, hook, undefined);
    });
    for (const hook of hooks) this.#states.delete(hook);
  }

  close(): Promise<void> {
    return this.#commit.settled();
  }

  #append({ appId, event, lane, hooks, ledger }: Change, news: News): void {
    if (ledger) this.#note(ledger.told, ledger.is === 'there');
    if (!event) return;
    const now = this.#parts.now();
    const seq = this.#log.nextSeq(appId);
    const body = committedEvent(event, seq);
    this.#log.append(appId, seq, body, now);
    for (const hook of hooks) {
      const dueAt = this.deliveries.copy.insert(hook, lane, body, now);
      news.appended(hook.key, lane, dueAt);
      this.deliveries.copy.overflow(hook.key);
    }
  }

  #note({ appId, channel, userId }: Announced, isThere: boolean): void {
    const told = { appId, channel, userId };
    const json = JSON.stringify(told);
    this.#commit.set(TOLD, json, isThere ? '' : undefined);
    if (isThere) this.#told.set(json, told);
    else this.#told.delete(json);
  }
}

/** Fields that the log names, and characters of each. */
const MAX_LOGGED_FIELDS = 10;
const MAX_LOGGED_FIELD = 200;

/**
 * Reads all fields of a hash, page by page; Redis may return a field more than once. A field that cannot be read is logged
 * and left out, so that it does not keep all others from being delivered.
 */
async function readHash(
  { commands, key, log }: RedisOutboxParts,
  hash: string,
  take: (field: string, value: string) => void,
): Promise<void> {
  const unreadable: string[] = [];
  let firstError: unknown;
  const attempt = (field: string, value: string) => {
    try {
      take(field, value);
    } catch (error) {
      firstError ??= error;
      unreadable.push(field.slice(0, MAX_LOGGED_FIELD));
    }
  };
  let cursor = '0';
  do {
    const [next, words] = pageSchema.parse(await commands.run(scripts.scan, key, hash, cursor));
    for (let at = 0; at + 1 < words.length; at += 2) attempt(words[at] ?? '', words[at + 1] ?? '');
    cursor = next;
  } while (cursor !== '0');
  if (unreadable.length === 0) return;
  const fields = unreadable.slice(0, MAX_LOGGED_FIELDS);
  log.error(
    { err: firstError, hash, fields, count: unreadable.length },
    'data of webhooks in Redis is unreadable',
  );
}
