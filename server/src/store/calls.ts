import type { Revocation } from '../adapter/revocations.ts';
import type { DocumentChanges, KeptEntry, RepositoryChange } from '../apps/app-repository.ts';
import type { HookKey } from '../apps/hook.ts';
import type {
  Amounts,
  Announced,
  Change,
  Deliveries,
  EventPage,
  HookState,
  OutboxBounds,
} from '../webhooks/outbox/outbox.ts';

/** What the data thread can be asked for. */
export interface StoreCalls extends Omit<Deliveries, 'counts'> {
  append(changes: readonly Change[]): Promise<void>;
  events(appId: string, afterSeq: number, limit: number): Promise<EventPage>;
  setState(hook: HookKey, state: HookState): Promise<void>;
  sweep(before: number, hooks: ReadonlySet<HookKey>): Promise<void>;
  saveRevocation(revocation: Revocation): Promise<void>;
  forgetRevocation(appId: string, id: string): Promise<void>;
  documents(): Promise<DocumentChanges>;
  writeDocuments(change: RepositoryChange): Promise<number | undefined>;
  keptAnswer(key: string, now: number): Promise<string | undefined>;
  adminEntries(before: number, limit: number): Promise<readonly KeptEntry[]>;
  /** Forgets all of an app but the audit entries. */
  forgetApp(appId: string): Promise<void>;
  /** Commits what is under way, and gives the data directory free. */
  close(): Promise<void>;
}

/** What the thread begins with. */
export interface ThreadData {
  readonly directory: string;
  readonly bounds: OutboxBounds;
  /** Unix milliseconds. */
  readonly now: number;
}

/** What is asked in one turn of the event loop. */
export interface Questions {
  /** The clock of whoever asks, in Unix milliseconds. */
  readonly now: number;
  readonly questions: readonly Question[];
}

export interface Question {
  readonly id: number;
  readonly call: keyof StoreCalls;
  readonly args: readonly unknown[];
}

/** What the thread says first: what the data directory holds, or why it cannot be used. */
export type Opening =
  | { readonly opened: Opened }
  | { readonly failed: { readonly message: string; readonly isDataError: boolean } };

/** What there was when the data directory was opened. */
export interface Opened {
  readonly told: readonly Announced[];
  readonly states: ReadonlyMap<HookKey, HookState>;
  readonly amounts: Amounts;
  readonly revocations: readonly Revocation[];
}

/** What the thread says from then on, in the order in which it happened. */
export interface Said {
  /** Of the hooks and apps of which they have changed. */
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
