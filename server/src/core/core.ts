import type { Logger } from 'pino';
import type { Adapter } from '../adapter/adapter.ts';
import type { Journal } from '../adapter/journal.ts';
import type { Administrator } from '../admin/administration.ts';
import type { NodeProcesses } from '../admin/node.ts';
import type { Apply, Registry } from '../admin/registry/registry.ts';
import type { AppName } from '../apps/app.ts';
import type { AppChanges } from '../apps/app-changes.ts';
import type { FileAppStore } from '../apps/file-store.ts';
import type { Audit } from '../audit/audit.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import { callableAddresses } from '../config/callable-addresses.ts';
import type { Config } from '../config/config.ts';
import { hideSecretsOf } from '../config/secrets.ts';
import type { PublicKey, SigningKey } from '../data/signing-key.ts';
import type { Metrics } from '../metrics.ts';
import type { ClusterStats } from '../prometheus/cluster.ts';
import type { Certificate } from '../tls/certificate.ts';
import type { Tracing } from '../tracing/tracing.ts';
import type { Ledger } from '../usage/ledger.ts';
import { endOf } from '../usage/period.ts';
import { UsagePush } from '../usage/push.ts';
import type { Quotas, QuotaUse } from '../usage/quotas.ts';
import type { UsageStore } from '../usage/usage-store.ts';
import type { WebhookControl } from '../webhooks/control.ts';
import type { WebhookStep, Webhooks } from '../webhooks/webhooks.ts';

/** What all connections of a node share, in whichever of its processes they are. */
export interface Core {
  readonly adapter: Adapter;
  readonly journal: Journal;
  readonly webhooks: CoreWebhooks;
  /** `undefined`: it is off. */
  readonly audit: Audit | undefined;
  readonly status: CoreStatus;
  readonly admin: CoreAdmin;
  /** What apps may still use. */
  readonly quotas: Quotas;
  /** The public keys that receivers of webhooks may read. */
  readonly webhookKeys: readonly PublicKey[];
  close(): Promise<void>;
}

/** The core of a node: the processes of the node share its audit log and its usage. */
export interface NodeCore extends Core {
  readonly audit: AuditLog | undefined;
  /** What the apps use, in all processes of the node. */
  readonly usage: Ledger;
}

/** The webhooks of a core. */
export interface CoreWebhooks {
  readonly control: WebhookControl;
  /** Begins to deliver. */
  start(): void;
  /** Takes over the hooks of reloaded apps. */
  reload(): void;
  /**
   * The process is about to end. Where the next process knows of the connections, their ends are recorded with the
   * delay of a restart, so that they may come back.
   */
  handOver(): void;
  /**
   * Delivers pending webhooks, as far as time allows; nothing is recorded any more.
   *
   * @param deadline as `performance.now()` counts
   */
  drain(deadline: number): Promise<void>;
  /** Deliveries of this process by state, by app id. */
  countDeliveries(): ReturnType<Webhooks['countDeliveries']>;
  /** Bytes that an app has in the outbox; `undefined` if another process has that. */
  keptBytes(appId: string): ReturnType<Webhooks['keptBytes']> | undefined;
}

/** The administration of a core. */
export interface CoreAdmin {
  /** Answers the admin API. */
  readonly administrator: Administrator;
  /** All apps; `undefined` in a worker, whose parent has it. */
  readonly registry: Registry | undefined;
  /** Waits until this node has what other nodes have changed about an app: see {@link Registry.caughtUp}. */
  caughtUp(app: AppName): Promise<void> | undefined;
  /** Calls back whenever apps have changed from now on. */
  follow(apply: Apply): void;
  /** Tells what the processes of the node are. */
  attach(processes: NodeProcesses): void;
}

/** How a core fares. */
export interface CoreStatus {
  /** Distinguishes this run from others if shared state ends with it; empty if the state survives. */
  readonly incarnation: string;
  /** `undefined`: the node is in no cluster. */
  readonly cluster: ClusterStats | undefined;
  /** The client certificates of the core. */
  readonly certificates: readonly Certificate[];
  /** What `GET /ready` answers while the process does not drain. */
  ready(): Readiness;
}

/** The answer to `GET /ready`. */
export interface Readiness {
  readonly status: number;
  readonly body: {
    readonly status: 'starting' | 'ready' | 'degraded' | 'draining';
    /** Why it is degraded. */
    readonly reason?: string;
  };
}

export interface CoreParts {
  readonly config: Config;
  readonly apps: FileAppStore;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds of a monotonic clock, for time-outs and limits. */
  readonly monotonic: () => number;
  /** The key of the broker, for what it signs by itself. */
  readonly signingKey?: SigningKey | undefined;
  /** @default one that the configuration asks for */
  readonly adapter?: Adapter | undefined;
  readonly onWebhookStep?: ((step: WebhookStep) => void) | undefined;
  /** `undefined`: nothing is traced. */
  readonly tracing?: Tracing | undefined;
}

/** Anybody may read it, so the server and the cause are in the log only. */
const UNREACHABLE = 'What the nodes share is out of reach: the log says why';

/** All nodes may lose what they share at the same time, so a node without it is still ready. */
export function readyDespite(fault: string | undefined): Readiness {
  return fault === undefined ? { status: 200, body: { status: 'ready' } } : degraded(UNREACHABLE);
}

/** The public half of the broker's key, if it has one. */
export function publicKeys({ signingKey }: Pick<CoreParts, 'signingKey'>): readonly PublicKey[] {
  return signingKey ? [signingKey.publicKey] : [];
}

/** Takes over changed apps. */
export function takeApps({ webhooks }: Core, apps: FileAppStore, changes: AppChanges): void {
  const { put, removed } = changes;
  hideSecretsOf(put);
  const hadHooks = [...put.map(({ id }) => id), ...removed].some((id) => apps.byId(id)?.hooks.length);
  apps.take(changes);
  if (hadHooks || put.some(({ webhooks: hooks }) => hooks.length > 0)) webhooks.reload();
}

/** Reads certificates again. */
export function reloadCertificates(certificates: readonly Certificate[]): void {
  // Each logs its own outcome.
  for (const certificate of certificates) void certificate.reload();
}

/** Tells the webhooks of an app that it has used most of a quota. */
export function recordWarning(journal: Journal, appId: string, use: QuotaUse): void {
  const { quota, limit, used, start } = use;
  const ratio = Math.round((used / limit) * 1000) / 1000;
  const unit = quota === 'messagesPerDay' ? 'day' : 'month';
  const resetsAt = endOf(unit, start) / 1000;
  // The journal reports what it cannot record.
  journal.record([{ kind: 'quotaWarning', appId, quota, limit, used, ratio, resetsAt }])?.catch(() => {});
}

/** What pushes the usage of a node; `undefined`: nothing is pushed. */
export function usagePush(parts: CoreParts, store: UsageStore, usage: Ledger): UsagePush | undefined {
  const { push: settings } = parts.config.usage;
  if (!settings) return undefined;
  const addresses = callableAddresses(parts.config);
  return new UsagePush({
    ...parts,
    settings,
    store,
    addresses,
    isBehind: (before) => usage.isBehind(before),
  });
}

export function degraded(reason: string): Readiness {
  return { status: 200, body: { status: 'degraded', reason } };
}

/** Until when a process that begins to drain now delivers webhooks, as `performance.now()` counts: the end takes a while, too. */
export function webhookDeadline({ drainTimeoutSeconds }: Config): number {
  return performance.now() + drainTimeoutSeconds * 1000 - Math.min(1000, drainTimeoutSeconds * 100);
}
