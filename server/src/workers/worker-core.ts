import { Registry } from 'prom-client';
import type { Journal } from '../adapter/journal.ts';
import type { Core, Readiness } from '../core/core.ts';
import type { WebhookControl } from '../webhooks/webhooks.ts';
import type { GroupStatus, ParentApi } from './protocol.ts';
import type { Rpc } from './rpc.ts';
import { WorkerAdapter } from './worker-adapter.ts';

/** The core of a worker: it is with the parent, and asked for there. */
export class WorkerCore implements Core {
  readonly adapter: WorkerAdapter;
  readonly journal: Journal;
  readonly webhooks: WebhookControl;
  /** The parent is the node. */
  readonly cluster = undefined;
  /** That of the parent. */
  incarnation = '';
  readonly certificates = [];
  /** How all workers stand together. */
  standing: GroupStatus = { status: 'starting' };
  readonly #parent: Rpc<ParentApi>;
  #ownMetrics = new Registry();

  constructor(parent: Rpc<ParentApi>) {
    this.#parent = parent;
    this.adapter = new WorkerAdapter(parent);
    this.journal = { record: (happenings) => parent.call('record', [happenings]) };
    this.webhooks = {
      statusOf: (hook) => parent.call('statusOf', [hook]),
      deliveries: (hook, state, after, limit) => parent.call('deliveries', [hook, state, after, limit]),
      retry: (hook, which) => parent.call('retry', [hook, which]),
      skip: (hook, which) => parent.call('skip', [hook, which]),
      pause: (hook) => parent.call('pause', [hook]),
      resume: (hook) => parent.call('resume', [hook]),
      test: (hook) => parent.call('test', [hook]),
      events: (appId, afterSeq, limit) => parent.call('events', [appId, afterSeq, limit]),
    };
  }

  /** The metrics of this process alone. */
  get ownMetrics(): Registry {
    return this.#ownMetrics;
  }

  /** The parent counts them. */
  countDeliveries() {
    return new Map();
  }

  ready(): Readiness {
    const { status } = this.standing;
    return { status: status === 'ready' || status === 'degraded' ? 200 : 503, body: this.standing };
  }

  metricsOf(own: Registry) {
    this.#ownMetrics = own;
    return { contentType: own.contentType, metrics: () => this.#parent.call('metrics', []) };
  }

  /** The parent begins when all workers listen. */
  start(): void {}

  /** The parent knows of the reload. */
  reload(): void {}

  /** The parent knows of the drain. */
  handOver(): void {}

  /** The parent delivers. */
  async drain(): Promise<void> {}

  close(): Promise<void> {
    return this.adapter.close();
  }
}
