import type { Journal } from '../../adapter/journal.ts';
import type { NodeProcesses } from '../../admin/node.ts';
import type { Apply } from '../../admin/registry/registry.ts';
import type { Core, CoreAdmin, CoreStatus, CoreWebhooks } from '../../core/core.ts';
import type { PublicKey } from '../../data/signing-key.ts';
import type { Quotas } from '../../usage/quotas.ts';
import type { GroupStatus, ParentApi } from '../protocol.ts';
import { remote } from '../rpc/remote.ts';
import type { Rpc } from '../rpc/rpc.ts';
import type { WorkerAdapter } from './worker-adapter.ts';
import type { WorkerAudit } from './worker-audit.ts';

/** The core of a worker: the real one is in the parent, and the worker calls it there. */
export class WorkerCore implements Core {
  readonly adapter: WorkerAdapter;
  readonly journal: Journal;
  readonly webhooks: CoreWebhooks;
  readonly status: CoreStatus;
  readonly admin: CoreAdmin;
  /** This process, when it serves clients. */
  processes: NodeProcesses | undefined;
  /** Takes over changed apps, once this process serves clients. */
  applyApps: Apply | undefined;
  readonly webhookKeys: readonly PublicKey[];
  readonly audit: WorkerAudit | undefined;
  readonly quotas: Quotas;

  /**
   * @param incarnation that of the parent's core
   * @param webhookKeys those of the parent's core
   * @param groupStatus the present status of all workers
   * @param sharesApps whether other nodes may change apps
   */
  constructor(
    parent: Rpc<ParentApi>,
    adapter: WorkerAdapter,
    incarnation: string,
    webhookKeys: readonly PublicKey[],
    audit: WorkerAudit | undefined,
    quotas: Quotas,
    groupStatus: () => GroupStatus,
    sharesApps: boolean,
  ) {
    this.adapter = adapter;
    this.webhookKeys = webhookKeys;
    this.audit = audit;
    this.quotas = quotas;
    this.journal = remote(parent, 'journal');
    this.admin = {
      administrator: remote(parent, 'administrator'),
      registry: undefined,
      caughtUp: (app) => (sharesApps ? parent.call('apps', 'caughtUp', [app]) : undefined),
      follow: (apply) => {
        this.applyApps = apply;
      },
      attach: (processes) => {
        this.processes = processes;
      },
    };
    // The parent delivers, counts deliveries, and knows of reload and drain.
    this.webhooks = {
      control: remote(parent, 'webhooks'),
      start() {},
      reload() {},
      handOver() {},
      async drain() {},
      countDeliveries: () => new Map(),
      keptBytes: () => undefined,
    };
    this.status = {
      incarnation,
      // The parent is the node, and has the certificates for Redis.
      cluster: undefined,
      certificates: [],
      ready() {
        const body = groupStatus();
        return { status: body.status === 'ready' || body.status === 'degraded' ? 200 : 503, body };
      },
    };
  }

  async close(): Promise<void> {
    await this.audit?.close();
    await this.adapter.close();
  }
}
