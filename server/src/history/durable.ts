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

/** What is known for a while beside the events: a publish under an idempotency key, or how far an ended connection had got. */
export type NoteKind = 'publish' | 'lastPosition';

/** One thing that is known for a while. */
export interface Note {
  readonly appId: string;
  readonly kind: NoteKind;
  /** Unique within the app and kind. */
  readonly id: string;
  /** Unix milliseconds. */
  readonly endsAt: number;
  /** `undefined`: it is forgotten. */
  readonly body: string | undefined;
}

/** A note as it is stored. */
export interface StoredNote extends Note {
  /** Higher than that of each note before. */
  readonly n: number;
  readonly body: string;
}

/** What notes for apps that want them to outlive the process; those of one moment are stored together with its events, or not at all. */
export interface Notes {
  /**
   * @param until by the monotonic clock
   * @param body asked for when it is written
   */
  set(appId: string, kind: NoteKind, id: string, until: number, body: () => string): void;
  delete(appId: string, kind: NoteKind, id: string): void;
  /** Resolves when what was noted for an app is stored, or cannot be at present; `undefined`: there is nothing to wait for. */
  settled(appId: string): Promise<unknown> | undefined;
}

/** A store in which histories outlive the process. */
export interface HistoryStore {
  /** Random text that positions are made with, the same after a restart. */
  readonly run: string;
  channels(): Promise<readonly Omit<SavedChannel, 'rows'>[]>;
  /** Events after a version, in order; none at the end. */
  page(
    after: number,
  ): Promise<readonly (HistoryRow & { readonly appId: string; readonly channel: string })[]>;
  /** Notes after a number, in order; none at the end. */
  notes(after: number): Promise<readonly StoredNote[]>;
  /** All or nothing. */
  save(channels: readonly SavedChannel[], notes: readonly Note[]): Promise<void>;
  forgetApp(appId: string): Promise<void>;
}
