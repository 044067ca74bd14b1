import type { HistoryEvent } from './history.ts';

/** An event as it is stored. Times are Unix milliseconds. */
export interface HistoryRow extends Omit<HistoryEvent, 'position'> {
  readonly endsAt: number;
}

/** What has changed in a channel: the events that are not stored yet, and which are kept. */
export interface SavedChannel {
  readonly appId: string;
  /** Its name, or {@link ALL_OTHERS}. */
  readonly channel: string;
  /** Events up to this version are dropped. */
  readonly before: number;
  /** The version of the newest event that there was. */
  readonly last: number;
  readonly rows: readonly HistoryRow[];
  /** It is one of {@link ALL_OTHERS} from now on. */
  readonly isForgotten?: boolean;
}

/** Stands for all channels of an app of which nothing is stored: what was given for them is not newer. */
export const ALL_OTHERS = '';

/** A store in which histories outlive the process. */
export interface HistoryStore {
  /** Random text that positions are made with, the same after a restart. */
  readonly run: string;
  channels(): Promise<readonly Omit<SavedChannel, 'rows'>[]>;
  /** Events after a version, in order; none at the end. */
  page(
    after: number,
  ): Promise<readonly (HistoryRow & { readonly appId: string; readonly channel: string })[]>;
  save(channels: readonly SavedChannel[]): Promise<void>;
  forgetApp(appId: string): Promise<void>;
}
