import { RedisAdapter } from '../adapter/redis/adapter.ts';
import { makeDirectory } from '../data/directory.ts';
import type { ClusterStats } from '../prometheus/cluster.ts';
import type { RedisSettings } from '../redis/settings.ts';
import { Certificate } from '../tls/certificate.ts';
import { ClusterWebhooks } from '../webhooks/cluster/cluster-webhooks.ts';
import type { WebhookControl } from '../webhooks/webhooks.ts';
import { type Core, type CoreParts, keptOptions, LocalCore, type Readiness, readyDespite } from './core.ts';

interface ClusterCoreParts extends CoreParts {
  readonly redis: RedisSettings;
}

/**
 * Opens the core that the configuration asks for.
 *
 * @throws ConfigError if the data directory or a file for the TLS of Redis cannot be used
 * @throws DataError if what is in the data directory cannot be used
 */
export async function openCore(parts: CoreParts): Promise<Core> {
  const { redis, data } = parts.config;
  if (data !== undefined) makeDirectory(data);
  return redis && !parts.adapter ? ClusterCore.open({ ...parts, redis }) : LocalCore.open(parts);
}

/** The core of a node that shares everything with others, in Redis. */
class ClusterCore implements Core {
  readonly adapter: RedisAdapter;
  readonly webhooks: WebhookControl;
  readonly cluster: ClusterStats;
  readonly incarnation = '';
  readonly certificates: readonly Certificate[];
  readonly #webhooks: ClusterWebhooks;

  private constructor(
    adapter: RedisAdapter,
    webhooks: ClusterWebhooks,
    certificate: Certificate | undefined,
  ) {
    this.certificates = certificate ? [certificate] : [];
    this.adapter = adapter;
    this.webhooks = webhooks.control;
    this.cluster = { node: adapter, webhooks };
    this.#webhooks = webhooks;
  }

  /** Connects; where Redis cannot be reached, it goes on trying. */
  static async open({ onWebhookStep: onStep, ...parts }: ClusterCoreParts): Promise<ClusterCore> {
    const { redis, log, now, config, metrics } = parts;
    const { nodeTimeoutSeconds } = config;
    const certificate = redis.tls && (await Certificate.open('redis.tls', redis.tls, log));
    const onGap = () => {
      metrics.gaps += 1;
    };
    const kept = keptOptions(parts);
    const adapter = await RedisAdapter.open({ redis, nodeTimeoutSeconds, log, now, onGap, kept });
    const { roster } = adapter;
    const webhooks = await ClusterWebhooks.open({ ...parts, roster, onStep });
    return new ClusterCore(adapter, webhooks, certificate);
  }

  get journal() {
    return this.#webhooks.journal;
  }

  countDeliveries() {
    return this.#webhooks.countDeliveries();
  }

  ready(): Readiness {
    return readyDespite(this.adapter.fault ?? this.#webhooks.fault);
  }

  metricsOf<Metrics>(own: Metrics): Metrics {
    return own;
  }

  start(): void {
    this.#webhooks.start();
  }

  reload(): void {
    for (const certificate of this.certificates) void certificate.reload();
    this.#webhooks.reload();
  }

  handOver(): void {
    this.#webhooks.handOver();
  }

  /** The other nodes deliver. */
  async drain(): Promise<void> {}

  async close(): Promise<void> {
    await this.adapter.close();
    await this.#webhooks.close();
    for (const certificate of this.certificates) certificate.close();
  }
}
