import type { Logger } from 'pino';
import type { OnLastPositionsBound } from '../../history/last-positions.ts';
import type { RecordBounds } from '../../idempotency/records.ts';
import type { RedisSettings } from '../../redis/settings.ts';
import type { CacheIndexBounds } from './cache-index.ts';
import type { HistoryBounds } from './history/history-index.ts';

/** What a {@link RedisAdapter} is made of. */
export interface RedisAdapterOptions {
  readonly redis: RedisSettings;
  /** Seconds within which what a dead node held is removed. */
  readonly nodeTimeoutSeconds: number;
  readonly log: Logger;
  /** Called when messages of a topic are lost to this node. */
  readonly onGap?: () => void;
  /** What the cache channels of an app may keep. @default no bound */
  readonly kept?: CacheIndexBounds;
  /** What the channels of an app with a history may keep. @default no bound */
  readonly history?: HistoryBounds;
  /** What may be known of publishes under an idempotency key. @default no bound */
  readonly idempotency?: RecordBounds;
  /** Called when the last positions of an app have reached a bound. */
  readonly onLastPositionsBound?: OnLastPositionsBound | undefined;
}

export const UNBOUNDED_CACHE: CacheIndexBounds = {
  boundsOf: () => ({ events: Number.MAX_SAFE_INTEGER, bytes: Number.MAX_SAFE_INTEGER }),
};
export const UNBOUNDED_HISTORY: HistoryBounds = {
  boundOf: () => Number.MAX_SAFE_INTEGER,
  countsOf: () => ({ events: 0, bytes: 0, evicted: 0 }),
};
export const UNBOUNDED_RECORDS: RecordBounds = {
  boundsOf: () => ({ records: Number.MAX_SAFE_INTEGER, bytes: Number.MAX_SAFE_INTEGER }),
  countsOf: () => ({ records: 0, bytes: 0, evicted: 0 }),
};
