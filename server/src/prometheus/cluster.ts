import { type MetricsRegistry, only } from './registry.ts';

/** How a node fares among the nodes of a cluster. */
export interface ClusterStats {
  readonly node: {
    readonly links: readonly LinkStats[];
    /** Seconds until the last heartbeat was answered; `undefined`: none was yet. */
    readonly heartbeatSeconds: number | undefined;
    /** Other nodes whose seats this one took away. */
    readonly lapsedNodes: number;
  };
  readonly webhooks: {
    readonly links: readonly LinkStats[];
    readonly isLeader: boolean;
    /** Journal entries that the leader has not read yet; 0 if another node is the leader. */
    readonly journalEntries: number;
  };
}

/** A connection to Redis that is made again when it breaks. */
export interface LinkStats {
  readonly name: string;
  /** Connections that broke or did not answer. */
  readonly losses: number;
}

/** Tells Prometheus how the node fares with Redis and with the other nodes. */
export function registerClusterMetrics(page: MetricsRegistry, { node, webhooks }: ClusterStats): void {
  page.gauge('redis_heartbeat_seconds', 'Time until Redis answered the last heartbeat', [], () =>
    only(node.heartbeatSeconds ?? Number.NaN),
  );
  page.counter(
    'redis_reconnects_total',
    'Connections to Redis that were lost, and made again as soon as that could be',
    ['link'],
    () => [...node.links, ...webhooks.links].map(({ name, losses }) => [{ link: name }, losses] as const),
  );
  page.counter(
    'nodes_lapsed_total',
    'Other nodes that died or were cut off, and whose seats this one took away',
    [],
    () => only(node.lapsedNodes),
  );
  page.gauge('webhook_leader', '1 on the node that delivers webhooks for all', [], () =>
    only(webhooks.isLeader ? 1 : 0),
  );
  page.gauge(
    'webhook_journal_entries',
    'Journal entries that the leader has not read yet; 0 on other nodes',
    [],
    () => only(webhooks.journalEntries),
  );
}
