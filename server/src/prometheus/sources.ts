import type { AppStore } from '../apps/app.ts';
import type { Hub } from '../hub/hub.ts';
import type { Metrics } from '../metrics.ts';
import type { FlushStatistics } from '../socket/flush-turns.ts';
import type { Certificate } from '../tls/certificate.ts';
import type { ClusterStats } from './cluster.ts';

/** Where the values of the metrics come from. */
export interface MetricsSources {
  readonly apps: AppStore;
  readonly metrics: Metrics;
  readonly hub: Pick<Hub, 'census'>;
  readonly flushes: Readonly<FlushStatistics>;
  /** Bytes that wait for readers, by app id. */
  readonly bufferedBytes: () => ReadonlyMap<string, number>;
  readonly webhooks: {
    /** By state, by app id. */
    countDeliveries(): ReadonlyMap<string, Readonly<Record<string, number>>>;
    /** By kind; `undefined` if another process keeps them. */
    keptBytes(appId: string): Readonly<Record<string, number>> | undefined;
  };
  /** Whether `GET /ready` answers `degraded`. */
  readonly isDegraded: () => boolean;
  /** `undefined`: the node is in no cluster. */
  readonly cluster: ClusterStats | undefined;
  /** All certificates of this process. */
  readonly certificates: readonly Certificate[];
}
