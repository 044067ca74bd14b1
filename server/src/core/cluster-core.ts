import { setTimeout as delay } from 'node:timers/promises';
import type { Journal } from '../adapter/journal.ts';
import { RedisAdapter } from '../adapter/redis/adapter.ts';
import type { Registry } from '../admin/registry/registry.ts';
import type { AppRepository } from '../apps/app-repository.ts';
import { MemoryRepository } from '../apps/memory-repository.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import { openAudit } from '../audit/open-audit.ts';
import { sharesApps } from '../config/config.ts';
import { DataError } from '../data/database.ts';
import type { PublicKey } from '../data/signing-key.ts';
import { Unavailable } from '../errors.ts';
import type { RedisSettings } from '../redis/settings.ts';
import { Certificate } from '../tls/certificate.ts';
import { Ledger } from '../usage/ledger.ts';
import type { UsagePush } from '../usage/push.ts';
import { Quotas } from '../usage/quotas.ts';
import { RedisUsage } from '../usage/redis-store.ts';
import { ClusterWebhooks } from '../webhooks/cluster/cluster-webhooks.ts';
import {
  type Core,
  type CoreParts,
  type CoreStatus,
  publicKeys,
  readyDespite,
  recordWarning,
  usagePush,
} from './core.ts';
import { historyOptions, idempotencyOptions, keptOptions, onLastPositionsBound } from './kept-options.ts';
import { OwnAdmin, openRegistry } from './own-admin.ts';

/** The core of a node that shares everything with other nodes, in Redis. */
export class ClusterCore implements Core {
  readonly adapter: RedisAdapter;
  readonly webhooks: ClusterWebhooks;
  readonly audit: AuditLog | undefined;
  readonly usage: Ledger;
  readonly #push: UsagePush | undefined;
  readonly quotas: Quotas;
  readonly status: CoreStatus;
  readonly admin: OwnAdmin;
  readonly webhookKeys: readonly PublicKey[];

  private constructor(
    adapter: RedisAdapter,
    webhooks: ClusterWebhooks,
    certificate: Certificate | undefined,
    audit: AuditLog | undefined,
    parts: ClusterCoreParts,
    registry: Registry,
    repository: AppRepository,
  ) {
    this.audit = audit;
    this.adapter = adapter;
    this.webhookKeys = publicKeys(parts);
    this.webhooks = webhooks;
    const store = new RedisUsage(adapter.commands, parts.redis.prefix, parts.now);
    this.quotas = new Quotas(parts.metrics, parts.monotonic);
    this.usage = new Ledger({
      ...parts,
      store,
      quotas: this.quotas,
      onWarning: (appId, use) => recordWarning(this.journal, appId, use),
    });
    this.#push = usagePush(parts, store, this.usage);
    const { usage } = this;
    this.admin = new OwnAdmin(parts, registry, repository, {
      adapter,
      webhooks: webhooks.control,
      usage,
      audit,
      forgetApp: (appId) => this.#forgetApp(appId),
      settle: () => adapter.count(),
      historyBytes: (appId) => adapter.historyBytes(appId),
    });
    this.status = {
      incarnation: '',
      cluster: { node: adapter, webhooks },
      certificates: certificate ? [certificate] : [],
      ready: () => readyDespite(adapter.fault ?? webhooks.fault ?? audit?.fault),
    };
  }

  /**
   * Connects to Redis; as long as it cannot be reached, the core goes on trying.
   *
   * @throws ConfigError if a file for the TLS of Redis cannot be used
   */
  static async open({ onWebhookStep: onStep, ...parts }: ClusterCoreParts): Promise<ClusterCore> {
    const { redis, log, config, metrics } = parts;
    const { nodeTimeoutSeconds } = config;
    const certificate = redis.tls && (await Certificate.open('redis.tls', redis.tls, log));
    const onGap = () => {
      metrics.gaps += 1;
    };
    const adapter = await RedisAdapter.open({
      redis,
      nodeTimeoutSeconds,
      log,
      onGap,
      kept: keptOptions(parts),
      history: historyOptions(parts),
      idempotency: idempotencyOptions(parts),
      onLastPositionsBound: onLastPositionsBound(parts),
    });
    const repository = sharesApps(config) ? adapter.apps : new MemoryRepository();
    const registry = await readApps(parts, repository).catch(async (error: unknown) => {
      await adapter.close();
      throw error;
    });
    const { roster } = adapter;
    const webhooks = await ClusterWebhooks.open({ ...parts, roster, onStep });
    const { commands } = adapter;
    const cluster = { commands, prefix: redis.prefix };
    const audit = await openAudit({ ...parts, signingKey: parts.signingKey, cluster });
    const core = new ClusterCore(adapter, webhooks, certificate, audit, parts, registry, repository);
    await core.usage.start();
    core.#push?.start();
    return core;
  }

  get journal(): Journal {
    return this.webhooks.journal;
  }

  async #forgetApp(appId: string): Promise<void> {
    await Promise.all([this.adapter.forgetApp(appId), this.webhooks.control.forgetApp(appId)]);
  }

  async close(): Promise<void> {
    await this.audit?.close();
    this.admin.registry.close();
    await this.#push?.close();
    await this.usage.close();
    await this.adapter.close();
    await this.webhooks.close();
    for (const certificate of this.status.certificates) certificate.close();
  }
}

/**
 * Reads the app store as soon as Redis can be reached: a node that does not know its apps would tell their clients for good that
 * there is none.
 *
 * @throws DataError if that takes too long
 */
async function readApps(parts: ClusterCoreParts, repository: AppRepository): Promise<Registry> {
  const until = parts.monotonic() + READ_APPS_MS;
  for (;;) {
    try {
      return await openRegistry(parts, repository);
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      if (parts.monotonic() > until)
        throw new DataError(`the apps in Redis cannot be read: ${error.message}`);
      await delay(READ_AGAIN_MS);
    }
  }
}

/** Milliseconds for which a start waits for Redis, and between two attempts. */
const READ_APPS_MS = 60_000;
const READ_AGAIN_MS = 250;

export interface ClusterCoreParts extends CoreParts {
  readonly redis: RedisSettings;
}
