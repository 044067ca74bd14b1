import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Commands } from '../../adapter/redis/commands.ts';
import type { HookKey } from '../../apps/hook.ts';
import type { Change, Delivery, EventPage, HookState, Outbox, OutboxListener, Told } from '../outbox.ts';
import { FencedCommit, type Tenure } from './fenced-commit.ts';
import { DELIVERIES, deliverySchema, hookKeySchema, RedisDeliveries } from './redis-deliveries.ts';
import { scripts } from './scripts.ts';

export interface RedisOutboxParts {
  readonly commands: Commands;
  /** Names everything that webhooks keep. */
  readonly key: string;
  readonly tenure: Tenure;
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
  /** Deliveries of one hook that may wait, and as many dead letters and events of an app that are kept. */
  readonly maxPending: number;
  /** Nothing can be committed any more: the tenure is to end. */
  readonly onFailure: (error: unknown) => void;
}

/** Hashes beside that of the deliveries: the outbox's id and last number, the last `seq` of each app, … */
const NUMBERS = 'numbers';
const SEQUENCES = 'sequences';
const STATES = 'states';
/** … and what receivers were told is there, each as JSON. */
const TOLD = 'told';

/** Events of an app that one sweep forgets. */
const SWEEP_EVENTS = 5000;

const pageSchema = z.tuple([z.string(), z.array(z.string())]);
const streamSchema = z.array(z.tuple([z.string(), z.array(z.string())]));
const toldSchema = z.object({ appId: z.string(), channel: z.string(), userId: z.string() });
const stateSchema = z.enum(['active', 'paused', 'disabled']);

/**
 * The outbox of a cluster, in Redis. One node has it open at a time; a node that opens it finds what the one before it
 * has committed, and Redis takes nothing of that one any more.
 */
export class RedisOutbox implements Outbox {
  readonly epoch = undefined;
  readonly deliveries: RedisDeliveries;
  readonly #parts: RedisOutboxParts;
  readonly #commit: FencedCommit;
  readonly #sequences = new Map<string, number>();
  readonly #states = new Map<HookKey, HookState>();
  readonly #told = new Map<string, Told>();
  #listener: OutboxListener | undefined;

  private constructor(parts: RedisOutboxParts, id: string) {
    this.#parts = parts;
    this.#commit = new FencedCommit(parts);
    this.deliveries = new RedisDeliveries(this.#commit, id, parts.now);
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
    await read(SEQUENCES, (appId, seq) => outbox.#sequences.set(appId, Number(seq)));
    await read(STATES, (hook, state) => {
      outbox.#states.set(hookKeySchema.parse(hook), stateSchema.parse(state));
    });
    await read(TOLD, (json) => outbox.#told.set(json, toldSchema.parse(JSON.parse(json))));
    return outbox;
  }

  attach(listener: OutboxListener): void {
    this.#listener = listener;
  }

  told(): readonly Told[] {
    return [...this.#told.values()];
  }

  async append(changes: readonly Change[]): Promise<void> {
    const news: ((listener: OutboxListener) => void)[] = [];
    await this.#commit.add(() => {
      for (const change of changes) this.#append(change, news);
      this.#commit.set(NUMBERS, 'last', String(this.deliveries.copy.count));
    });
    if (this.#listener) for (const tell of news) tell(this.#listener);
  }

  /** Forgets entries of the journal, in one step with the changes that are made of them at once. */
  async consume(entries: readonly string[], make: () => Promise<unknown>): Promise<void> {
    await this.#commit.add(() => {
      this.#commit.run('XDEL', 'journal', ...entries);
      return make();
    });
  }

  async events(appId: string, afterSeq: number, limit: number): Promise<EventPage> {
    const { commands, key } = this.#parts;
    const lastSeq = this.#sequences.get(appId) ?? 0;
    const entries = streamSchema.parse(await commands.run(scripts.events, key, appId, afterSeq + 1, limit));
    return { events: entries.map(([, [, , , body = '']]) => body), lastSeq };
  }

  stateOf(hook: HookKey): HookState {
    return this.#states.get(hook) ?? 'active';
  }

  async setState(hook: HookKey, state: HookState): Promise<void> {
    await this.#commit.add(() => this.#commit.set(STATES, hook, state));
    this.#states.set(hook, state);
  }

  async sweep(before: number, hooks: ReadonlySet<HookKey>): Promise<void> {
    const { commands, key, maxPending } = this.#parts;
    for (const appId of this.#sequences.keys()) {
      await commands.run(scripts.forget, key, appId, before, SWEEP_EVENTS);
    }
    await this.#commit.add(() => this.deliveries.copy.sweep(before, hooks, maxPending));
  }

  close(): Promise<void> {
    return this.#commit.settled();
  }

  #append({ appId, event, lane, hooks, ledger }: Change, news: ((listener: OutboxListener) => void)[]): void {
    if (ledger) this.#note(ledger.told, ledger.is === 'there');
    if (!event) return;
    const now = this.#parts.now();
    const seq = (this.#sequences.get(appId) ?? 0) + 1;
    this.#sequences.set(appId, seq);
    const body = JSON.stringify({ ...event, seq });
    this.#commit.set(SEQUENCES, appId, String(seq));
    // Redis has them in its memory, where no app may have more than that, or a few.
    const most = ['MAXLEN', '~', String(this.#parts.maxPending)];
    this.#commit.run('XADD', `events:${appId}`, ...most, `${seq}-0`, 'at', String(now), 'body', body);
    for (const hook of hooks) {
      const dueAt = this.deliveries.copy.insert(hook, lane, body, now);
      news.push((listener) => listener.appended(hook.key, lane, dueAt));
      const parked = this.deliveries.copy.overflow(hook.key, this.#parts.maxPending);
      if (parked > 0) news.push((listener) => listener.overflowed(hook.key, parked));
    }
  }

  #note({ appId, channel, userId }: Told, isThere: boolean): void {
    const told = { appId, channel, userId };
    const json = JSON.stringify(told);
    this.#commit.set(TOLD, json, isThere ? '' : undefined);
    if (isThere) this.#told.set(json, told);
    else this.#told.delete(json);
  }
}

/** Reads all fields of a hash, page by page; Redis may give one of them more than once. */
async function readHash(
  { commands, key }: RedisOutboxParts,
  hash: string,
  take: (field: string, value: string) => void,
): Promise<void> {
  let cursor = '0';
  do {
    const [next, words] = pageSchema.parse(await commands.run(scripts.scan, key, hash, cursor));
    for (let at = 0; at + 1 < words.length; at += 2) take(words[at] ?? '', words[at + 1] ?? '');
    cursor = next;
  } while (cursor !== '0');
}
