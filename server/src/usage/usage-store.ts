/** Where usage is kept: in memory, in the data file, or in Redis. */
import type { Peaks, Sums } from './figures.ts';
import type { Unit } from './period.ts';

/** What happened in one app in one minute on one node, beyond what was added before. */
export interface UsageChange {
  readonly app: string;
  /** The first millisecond of the minute. */
  readonly minute: number;
  readonly sums: Sums;
  /** Of this node. */
  readonly peaks: Peaks;
  /** What the node has now. */
  readonly connections: number;
  readonly members: number;
  /** Something of it is missing, because a process died. */
  readonly isIncomplete: boolean;
}

export interface UsageBatch {
  /** Who adds it: one run of a node. */
  readonly node: string;
  /** Counts up, so that a batch whose answer was lost can be added again and counts once. */
  readonly seq: number;
  readonly changes: readonly UsageChange[];
  /** The node adds nothing after it. */
  readonly isLast: boolean;
}

/** What an app has used up to now, over all nodes. */
export interface Used {
  readonly app: string;
  /** Published and client events of this day. */
  readonly messages: number;
  /** Milliseconds of the connections of this month. */
  readonly connectionMs: number;
}

/** Up to which row rows were pushed. */
export type PushedRow = Pick<UsageRow, 'from' | 'app'>;

export interface UsageQuery {
  readonly unit: Unit;
  /** The first period, by its first millisecond. */
  readonly from: number;
  /** Before this one. */
  readonly to: number;
  /** `undefined`: all apps. */
  readonly apps?: readonly string[] | undefined;
  /** The row before the first one. */
  readonly after?: { readonly from: number; readonly app: string } | undefined;
  readonly limit: number;
}

/** The usage of an app in one period. */
export interface UsageRow {
  readonly app: string;
  readonly from: number;
  readonly sums: Sums;
  readonly peaks: Peaks;
  /** It is known that something is missing. */
  readonly isIncomplete: boolean;
}

export interface UsageReader {
  /** Rows in the order of their periods and apps. */
  rows(query: UsageQuery): Promise<readonly UsageRow[]>;
  /** What apps have used in the day and the month of a time. */
  used(apps: readonly string[], at: number): Promise<readonly Used[]>;
}

export interface UsageStore extends UsageReader {
  /** Whether other nodes add to the same rows, and must hear from this one while it adds nothing. */
  readonly isShared: boolean;
  /** Milliseconds between two writes. */
  readonly writeMs: number;
  /** Called once, before anything is added: what died without its last batch has left rows that are incomplete. */
  begin(node: string): Promise<void>;
  /** Adds a batch to the rows of its minutes, hours, days and months, at most once. */
  add(batch: UsageBatch): Promise<void>;
  /**
   * Asks for the turn to push rows elsewhere, which one node has at a time, and keeps for half a minute.
   *
   * @param start after which row to begin if nothing was ever pushed
   * @returns the row that was pushed last; `undefined`: another node has the turn
   */
  takePush(node: string, start: PushedRow): Promise<PushedRow | undefined>;
  /** Gives the turn back, if the node has it. */
  leavePush(node: string): Promise<void>;
  /** Notes the row that was pushed last, unless another node has got the turn meanwhile. */
  pushed(node: string, row: PushedRow): Promise<void>;
  /** @returns whether nobody has warned of this quota in the period that begins then */
  warn(app: string, quota: string, start: number): Promise<boolean>;
}
