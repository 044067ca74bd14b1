import { z } from 'zod';
import { loadScript } from '../redis/script.ts';
import type { ScriptRunner } from '../redis/script-runner.ts';
import { peakNames, sumNames } from './figures.ts';
import { usedOf } from './memory-store.ts';
import { endOf, KEPT_MS, startOf, units } from './period.ts';
import type { PushedRow, UsageBatch, UsageQuery, UsageRow, UsageStore, Used } from './usage-store.ts';

/** Periods that are read in one step of Redis. */
const PERIODS_AT_ONCE = 20;
const KEPT_SECONDS = units.map((unit) => KEPT_MS[unit] / 1000).join(' ');

/** For how long a node has the turn to push, unless it asks again. */
const PUSH_TURN_MS = 30_000;

const pushedSchema = z.string().nullable();
const answerSchema = z.tuple([
  z.array(z.tuple([z.string(), z.string(), z.string()])),
  z.array(z.tuple([z.string(), z.string()])),
]);

/**
 * The usage of a cluster. All rows are in one slot, so that a batch is added in one step, with the number that tells whether
 * it was added before.
 */
export class RedisUsage implements UsageStore {
  readonly isShared = true;
  readonly writeMs = 1000;
  readonly #commands: ScriptRunner;
  readonly #key: string;
  readonly #now: () => number;

  /** @param prefix with what the names of all keys of the service begin */
  constructor(commands: ScriptRunner, prefix: string, now: () => number) {
    this.#commands = commands;
    this.#key = `${prefix}:{usage}`;
    this.#now = now;
  }

  /** A node that died is noticed by its silence. */
  async begin(): Promise<void> {}

  async add({ node, seq, changes, isLast }: UsageBatch): Promise<void> {
    const args = changes.flatMap(({ app, minute, sums, peaks, isIncomplete, connections, members }) => [
      app,
      ...units.map((unit) => startOf(unit, minute)),
      isIncomplete ? 1 : 0,
      `${connections} ${members}`,
      ...sums,
      ...peaks,
    ]);
    await this.#commands.run(add, this.#key, node, seq, isLast ? 1 : 0, KEPT_SECONDS, ...args);
  }

  async rows({ unit, from, to, apps, after, limit }: UsageQuery): Promise<readonly UsageRow[]> {
    const now = this.#now();
    const oldest = startOf(unit, now - KEPT_MS[unit]);
    const end = Math.min(to, endOf(unit, now));
    const found: UsageRow[] = [];
    let start = Math.max(from, after?.from ?? 0, oldest);
    while (start < end && found.length < limit) {
      const starts: number[] = [];
      for (; start < end && starts.length < PERIODS_AT_ONCE; start = endOf(unit, start)) starts.push(start);
      const rows = await this.#read(unit, starts, apps);
      found.push(...rows.filter((row) => !after || row.from > after.from || row.app > after.app));
    }
    return found.slice(0, limit);
  }

  async used(apps: readonly string[], at: number): Promise<readonly Used[]> {
    const [days, months] = await Promise.all([
      this.#read('day', [startOf('day', at)], apps),
      this.#read('month', [startOf('month', at)], apps),
    ]);
    const of = (rows: readonly UsageRow[], app: string) => rows.find((row) => row.app === app);
    return apps.map((app) => usedOf(app, of(days, app), of(months, app)));
  }

  async warn(app: string, quota: string, start: number): Promise<boolean> {
    return (await this.#commands.run(warn, this.#key, app, quota, start)) === 1;
  }

  async takePush(node: string, { from, app }: PushedRow): Promise<PushedRow | undefined> {
    const kept = pushedSchema.parse(
      await this.#commands.run(takePush, this.#key, node, PUSH_TURN_MS, `${from} ${app}`),
    );
    if (kept === null) return undefined;
    const [start = '', ...name] = kept.split(' ');
    return { from: Number(start), app: name.join(' ') };
  }

  async leavePush(node: string): Promise<void> {
    await this.#commands.run(leavePush, this.#key, node);
  }

  async pushed(node: string, { from, app }: PushedRow): Promise<void> {
    await this.#commands.run(pushed, this.#key, node, `${from} ${app}`);
  }

  async #read(
    unit: UsageQuery['unit'],
    starts: readonly number[],
    apps: readonly string[] | undefined,
  ): Promise<UsageRow[]> {
    if (apps?.length === 0) return [];
    const args = [unit, apps?.length ?? 0, ...(apps ?? []), ...starts];
    const [rows, held] = answerSchema.parse(await this.#commands.run(read, this.#key, ...args));
    // What a silent node had last is known to be incomplete.
    const incomplete = new Set(
      held.map(([app, text]) => `${text.split(' ')[2 + units.indexOf(unit)]} ${app}`),
    );
    return rows
      .map(([start, app, text]) => {
        const [isIncomplete, ...values] = text.split(' ').map(Number);
        return {
          app,
          from: Number(start),
          sums: values.slice(0, sumNames.length),
          peaks: values.slice(sumNames.length, sumNames.length + peakNames.length),
          isIncomplete: isIncomplete === 1 || incomplete.has(`${start} ${app}`),
        };
      })
      .sort((a, b) => a.from - b.from || (a.app < b.app ? -1 : 1));
  }
}

const add = loadScript(new URL('lua/add.lua', import.meta.url));
const takePush = loadScript(new URL('lua/take-push.lua', import.meta.url));
const leavePush = loadScript(new URL('lua/leave-push.lua', import.meta.url));
const pushed = loadScript(new URL('lua/pushed.lua', import.meta.url));
const warn = loadScript(new URL('lua/warn.lua', import.meta.url));
const read = loadScript(new URL('lua/read.lua', import.meta.url));
