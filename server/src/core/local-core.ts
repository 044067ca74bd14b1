import { randomBytes } from 'node:crypto';
import type { Adapter } from '../adapter/adapter.ts';
import type { Journal } from '../adapter/journal.ts';
import { MemoryAdapter } from '../adapter/memory/adapter.ts';
import type { Registry } from '../admin/registry/registry.ts';
import type { AppRepository } from '../apps/app-repository.ts';
import { MemoryRepository } from '../apps/memory-repository.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import { openAudit } from '../audit/open-audit.ts';
import type { PublicKey } from '../data/signing-key.ts';
import { reached } from '../metrics.ts';
import { Store } from '../store/store.ts';
import { Ledger } from '../usage/ledger.ts';
import { MemoryUsage } from '../usage/memory-store.ts';
import type { UsagePush } from '../usage/push.ts';
import { Quotas } from '../usage/quotas.ts';
import { boundsOf } from '../webhooks/outbox/bounds.ts';
import { MemoryOutbox } from '../webhooks/outbox/memory/outbox.ts';
import { Webhooks } from '../webhooks/webhooks.ts';
import {
  type Core,
  type CoreParts,
  type CoreStatus,
  degraded,
  publicKeys,
  readyDespite,
  recordWarning,
  usagePush,
} from './core.ts';
import {
  durableHistory,
  historyOptions,
  idempotencyOptions,
  keptOptions,
  onLastPositionsBound,
} from './kept-options.ts';
import { OwnAdmin, openRegistry } from './own-admin.ts';

/** The core of a node on its own: everything is in this process and, if configured, in the data directory. */
export class LocalCore implements Core {
  readonly adapter: Adapter;
  readonly webhooks: Webhooks;
  readonly status: CoreStatus;
  readonly admin: OwnAdmin;
  readonly webhookKeys: readonly PublicKey[];
  readonly audit: AuditLog | undefined;
  readonly usage: Ledger;
  readonly #push: UsagePush | undefined;
  readonly quotas: Quotas;
  readonly #store: Store | undefined;

  private constructor(
    parts: CoreParts,
    store: Store | undefined,
    audit: AuditLog | undefined,
    registry: Registry,
    repository: AppRepository,
  ) {
    const { config, now, monotonic, onWebhookStep: onStep } = parts;
    const adapter: Adapter =
      parts.adapter ??
      new MemoryAdapter({
        now,
        monotonic,
        revocationStore: store,
        keyUses: store?.keyUses,
        kept: keptOptions(parts),
        history: { ...historyOptions(parts), durable: store && durableHistory(parts, store.history) },
        idempotency: idempotencyOptions(parts),
        onLastPositionsBound: onLastPositionsBound(parts),
      });
    const outbox = store?.outbox ?? new MemoryOutbox({ now, ...boundsOf(config) });
    this.#store = store;
    this.audit = audit;
    this.adapter = adapter;
    this.webhookKeys = publicKeys(parts);
    this.webhooks = new Webhooks({ ...parts, outbox, onStep });
    const { metrics, log } = parts;
    const usage = store?.usage ?? new MemoryUsage(() => reached(metrics, log, 'usage_rows'));
    this.quotas = new Quotas(metrics, monotonic);
    this.usage = new Ledger({
      ...parts,
      store: usage,
      quotas: this.quotas,
      onWarning: (appId, use) => recordWarning(this.journal, appId, use),
    });
    this.#push = usagePush(parts, usage, this.usage);
    this.admin = new OwnAdmin(parts, registry, repository, {
      adapter,
      webhooks: this.webhooks.control,
      usage: this.usage,
      audit,
      forgetApp: (appId) => this.#forgetApp(appId),
    });
    this.status = {
      incarnation: store ? '' : randomBytes(16).toString('hex'),
      cluster: undefined,
      certificates: [],
      ready() {
        const fault = store?.fault ?? audit?.fault;
        return fault === undefined ? readyDespite(adapter.fault) : degraded(fault);
      },
    };
  }

  /**
   * @throws DataError if the data directory cannot be used
   * @throws ConfigError if the app store cannot be read
   */
  static async open(parts: CoreParts): Promise<LocalCore> {
    const { config, now, log, signingKey, metrics, onWebhookStep: onStep } = parts;
    const bounds = boundsOf(config);
    const store =
      config.data === undefined
        ? undefined
        : await Store.open({ directory: config.data, bounds, now, log, onStep });
    const repository = store?.repository ?? new MemoryRepository();
    try {
      const registry = await openRegistry(parts, repository);
      const audit = await openAudit({ config, signingKey, metrics, log, now });
      const core = new LocalCore(parts, store, audit, registry, repository);
      if (core.adapter instanceof MemoryAdapter) await core.adapter.load();
      await core.usage.start();
      core.#push?.start();
      return core;
    } catch (error) {
      await store?.close();
      throw error;
    }
  }

  get journal(): Journal {
    return this.webhooks.journal;
  }

  /**
   * Forgets what is kept of an app that is gone from all processes. The store did so when the app went from it; this takes
   * what came in between.
   */
  async #forgetApp(appId: string): Promise<void> {
    if (this.adapter instanceof MemoryAdapter) this.adapter.forgetApp(appId);
    this.webhooks.journal.forgetApp(appId);
    await this.#store?.forgetApp(appId);
  }

  async close(): Promise<void> {
    this.admin.registry.close();
    await this.adapter.close();
    await this.webhooks.close();
    await this.#push?.close();
    await this.usage.close();
    await this.audit?.close();
    await this.#store?.close();
  }
}
