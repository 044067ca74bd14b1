import type { Revocation } from '../adapter/revocations.ts';
import type { DocumentChanges, KeptEntry, RepositoryChange } from '../apps/app-repository.ts';
import type { HookKey } from '../apps/hook.ts';
import type { KeyUses } from '../apps/keys/key-usage.ts';
import type { HistoryRow, Note, SavedChannel, StoredNote } from '../history/durable.ts';
import type { PushedRow, UsageBatch, UsageQuery, UsageRow, Used } from '../usage/usage-store.ts';
import type {
  Amounts,
  Announced,
  Change,
  Deliveries,
  EventPage,
  HookState,
  OutboxBounds,
} from '../webhooks/outbox/outbox.ts';

/** The calls of the data thread. */
export interface StoreCalls extends Omit<Deliveries, 'counts'> {
  append(changes: readonly Change[]): Promise<void>;
  events(appId: string, afterSeq: number, limit: number): Promise<EventPage>;
  setState(hook: HookKey, state: HookState): Promise<void>;
  sweep(before: number, hooks: ReadonlySet<HookKey>): Promise<void>;
  saveRevocation(revocation: Revocation): Promise<void>;
  addKeyUses(appId: string, uses: KeyUses): Promise<void>;
  keyUses(appId: string): Promise<KeyUses>;
  forgetRevocation(appId: string, id: string): Promise<void>;
  documents(): Promise<DocumentChanges>;
  writeDocuments(change: RepositoryChange): Promise<number | undefined>;
  keptAnswer(key: string, now: number): Promise<string | undefined>;
  adminEntries(before: number, limit: number): Promise<readonly KeptEntry[]>;
  beginUsage(node: string): Promise<void>;
  addUsage(batch: UsageBatch): Promise<void>;
  usageRows(query: UsageQuery): Promise<readonly UsageRow[]>;
  warnOfQuota(app: string, quota: string, start: number): Promise<boolean>;
  takeUsagePush(start: PushedRow): Promise<PushedRow>;
  usagePushed(row: PushedRow): Promise<void>;
  usedByApps(apps: readonly string[], at: number): Promise<readonly Used[]>;
  historyChannels(): Promise<readonly Omit<SavedChannel, 'rows'>[]>;
  historyPage(
    after: number,
  ): Promise<readonly (HistoryRow & { readonly appId: string; readonly channel: string })[]>;
  historyNotes(after: number): Promise<readonly StoredNote[]>;
  saveHistory(channels: readonly SavedChannel[], notes: readonly Note[]): Promise<void>;
  forgetHistory(appId: string): Promise<void>;
  /** Deletes everything of an app but the audit entries and its usage. */
  forgetApp(appId: string): Promise<void>;
  /** Commits the work in progress, and releases the data directory. */
  close(): Promise<void>;
}

/** What the thread starts with. */
export interface ThreadData {
  readonly directory: string;
  readonly bounds: OutboxBounds;
  /** Unix milliseconds. */
  readonly now: number;
}

/** The calls of one turn of the event loop. */
export interface Questions {
  /** The clock of the caller, in Unix milliseconds. */
  readonly now: number;
  readonly questions: readonly Question[];
}

export interface Question {
  readonly id: number;
  readonly call: keyof StoreCalls;
  readonly args: readonly unknown[];
}

/** The first message of the thread: the content of the data directory, or why it cannot be used. */
export type Opening =
  | { readonly opened: Opened }
  | { readonly failed: { readonly message: string; readonly isDataError: boolean } };

/** The content of the data directory when it was opened. */
export interface Opened {
  readonly told: readonly Announced[];
  readonly states: ReadonlyMap<HookKey, HookState>;
  readonly amounts: Amounts;
  readonly revocations: readonly Revocation[];
  /** Random text that the positions of histories are made with. */
  readonly historyRun: string;
}

/** A later message of the thread, with news in order. */
export interface Said {
  /** The amounts of the hooks and apps for which they have changed. */
  readonly amounts: Amounts;
  readonly items: readonly Item[];
}

export type Item =
  | { readonly answer: number; readonly value: unknown }
  | { readonly refusal: number; readonly message: string }
  | { readonly news: NewsItem };

/** A call of an {@link OutboxListener}. */
export type NewsItem =
  | readonly ['appended', HookKey, string, number]
  | readonly ['overflowed', HookKey, number]
  | readonly ['dropped', string, 'dead_letter' | 'event', number];
