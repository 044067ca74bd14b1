import { Registry } from 'prom-client';
import type { Journal } from '../adapter/journal.ts';
import type { Core, Readiness } from '../core/core.ts';
import type { WebhookControl } from '../webhooks/webhooks.ts';
import type { Desk, Standing } from './protocol.ts';
import type { Line } from './rpc.ts';
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
  standing: Standing = { status: 'starting' };
  readonly #parent: Line<Desk>;
  #ownMetrics = new Registry();

  constructor(parent: Line<Desk>) {
    this.#parent = parent;
    this.adapter = new WorkerAdapter(parent);
    this.journal = { record: (happenings) => parent.ask('record', [happenings]) };
    this.webhooks = {
      statusOf: (hook) => parent.ask('statusOf', [hook]),
      deliveries: (hook, state, after, limit) => parent.ask('deliveries', [hook, state, after, limit]),
      retry: (hook, which) => parent.ask('retry', [hook, which]),
      skip: (hook, which) => parent.ask('skip', [hook, which]),
      pause: (hook) => parent.ask('pause', [hook]),
      resume: (hook) => parent.ask('resume', [hook]),
      test: (hook) => parent.ask('test', [hook]),
      events: (appId, afterSeq, limit) => parent.ask('events', [appId, afterSeq, limit]),
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
    return { contentType: own.contentType, metrics: () => this.#parent.ask('metrics', []) };
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
