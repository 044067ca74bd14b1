import type { HookKey } from '../../apps/hook.ts';
import type { Database, Statement } from '../../data/database.ts';

/** One delivery as the table holds it. */
export interface DeliveryRow {
  readonly n: number;
  readonly hook: HookKey;
  readonly lane: string;
  /** 1 for a dead letter. */
  readonly dead: number;
  readonly committed_at: number;
  readonly due_at: number;
  readonly size: number;
  readonly events: string;
  readonly tries: number;
  readonly tried_since: number | null;
  /** As JSON. */
  readonly attempts: string;
  readonly bytes: number;
}

/** All statements on the table. */
export function prepareDeliveries(database: Database) {
  const statement = <Parameters extends readonly (string | number)[], Result = never>(
    sql: string,
  ): Statement<Parameters, Result> => database.prepare<Parameters, Result>(sql);
  return {
    count: statement<[], { hook: HookKey; dead: number; tried: number; count: number; bytes: number }>(
      `SELECT hook, dead, tries > 0 AS tried, count(*) AS count, sum(bytes) AS bytes FROM delivery
       GROUP BY hook, dead, tried`,
    ),
    lanes: statement<[HookKey], { lane: string; due_at: number }>(
      'SELECT lane, due_at, min(n) FROM delivery WHERE hook = ? AND dead = 0 GROUP BY lane ORDER BY min(n)',
    ),
    lane: statement<[HookKey, string, number], DeliveryRow>(
      'SELECT * FROM delivery WHERE hook = ? AND lane = ? AND dead = 0 ORDER BY n LIMIT ?',
    ),
    list: statement<[HookKey, number, number, number, number], DeliveryRow>(
      `SELECT * FROM delivery
       WHERE hook = ? AND dead = ? AND n > ? AND (dead = 1 OR (tries > 0) = ?) ORDER BY n LIMIT ?`,
    ),
    oldest: statement<[HookKey, number, number], { n: number; committed_at: number }>(
      'SELECT n, committed_at FROM delivery WHERE hook = ? AND dead = ? ORDER BY n LIMIT ?',
    ),
    state: statement<[number], Pick<DeliveryRow, 'hook' | 'dead' | 'tries' | 'bytes'>>(
      'SELECT hook, dead, tries, bytes FROM delivery WHERE n = ?',
    ),
    insert: statement<[HookKey, string, number, number, string, number]>(
      'INSERT INTO delivery (hook, lane, committed_at, due_at, events, bytes) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    grow: statement<[number, string, number, number]>(
      'UPDATE delivery SET size = ?, events = ?, bytes = ? WHERE n = ?',
    ),
    attempted: statement<[string, number, number]>(
      'UPDATE delivery SET attempts = ?, bytes = bytes + ? WHERE n = ?',
    ),
    fail: statement<[number, number, number]>(
      `UPDATE delivery SET tries = tries + 1, tried_since = coalesce(tried_since, ?), due_at = ? WHERE n = ?`,
    ),
    retry: statement<[number, number]>(
      'UPDATE delivery SET dead = 0, tries = 0, tried_since = NULL, due_at = ? WHERE n = ?',
    ),
    markDead: statement<[number]>('UPDATE delivery SET dead = 1 WHERE n = ?'),
    delete: statement<[number]>('DELETE FROM delivery WHERE n = ?'),
  };
}
