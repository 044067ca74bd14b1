/** A request to publish under an idempotency key. */
export interface KeyedRequest {
  /** A hash of the key. */
  readonly id: string;
  /** A hash of all that is asked for. */
  readonly fingerprint: string;
  /** The names of its channels. */
  readonly channels: readonly string[];
  /** Whether its answer must be repeated, because it says more than that the events are published. */
  readonly hasAnswer: boolean;
}

/**
 * What is known of a request: its answer; or that the first one with its key still works on the answer; or nothing that
 * keeps it from going on, since each of its events is published once.
 */
export type Progress = { readonly answer: string } | 'running' | 'open';

/** Marks an event as one that is published once: a second one is not published. */
export interface Once {
  /** The {@link KeyedRequest.id} of its request. */
  readonly id: string;
  readonly fingerprint: string;
  /** How long it is known that the event is published. */
  readonly seconds: number;
}

/** The requests that publish under an idempotency key, for some minutes. The bus knows which of their events are published. */
export interface IdempotencyRecords {
  /**
   * Begins requests of one app, each with another id.
   *
   * @param seconds for which they are known
   * @returns the progress of each; `mismatch` if one was begun with another fingerprint, and then none is begun
   */
  begin(
    appId: string,
    requests: readonly KeyedRequest[],
    seconds: number,
  ): Promise<readonly Progress[] | 'mismatch'>;
  /** Ends the work on an answer; `undefined`: there is none, and the next request works on it. */
  end(appId: string, id: string, answer: string | undefined): Promise<void>;
}

/** Bounds of the records of an app. */
export interface RecordBounds {
  readonly boundsOf: (appId: string) => { readonly records: number; readonly bytes: number };
  /** The numbers of an app that metrics show. */
  readonly countsOf: (appId: string) => RecordCounts;
  /** Called each time that an app has reached its bound. */
  readonly onBound?: (appId: string) => void;
}

export interface RecordCounts {
  records: number;
  bytes: number;
  /** Records that were dropped before their time. */
  evicted: number;
}
