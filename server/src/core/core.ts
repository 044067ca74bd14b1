import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Adapter } from '../adapter/adapter.ts';
import type { Journal } from '../adapter/journal.ts';
import { MemoryAdapter } from '../adapter/memory/adapter.ts';
import type { KeptEventsOptions } from '../adapter/memory/kept-events.ts';
import type { AppStore } from '../apps/app.ts';
import type { Config } from '../config/config.ts';
import { type Metrics, reached } from '../metrics.ts';
import type { ClusterStats } from '../prometheus/cluster.ts';
import { Store } from '../store/store.ts';
import type { Certificate } from '../tls/certificate.ts';
import { boundsOf } from '../webhooks/outbox/bounds.ts';
import { MemoryOutbox } from '../webhooks/outbox/memory-outbox.ts';
import { type WebhookControl, type WebhookStep, Webhooks } from '../webhooks/webhooks.ts';

/** What all connections of a node share, in whichever of its processes they are. */
export interface Core {
  readonly adapter: Adapter;
  readonly journal: Journal;
  readonly webhooks: WebhookControl;
  /** Tells this run from others where what is shared ends with it; empty where that outlives it. */
  readonly incarnation: string;
  /** Webhook deliveries of this process by state, by app id. */
  countDeliveries(): ReturnType<Webhooks['countDeliveries']>;
  /** How it fares among the nodes of a cluster; `undefined`: it is in none. */
  readonly cluster: ClusterStats | undefined;
  /** Those by which it proves to others who it is. */
  readonly certificates: readonly Certificate[];
  /** What `GET /ready` answers while the process does not drain. */
  ready(): Readiness;
  /** What `GET /metrics` answers, given the metrics of this process. */
  metricsOf(own: Registry): Pick<Registry, 'contentType' | 'metrics'>;
  /** Begins to deliver webhooks. */
  start(): void;
  /** Takes over what a reload of the apps brought. */
  reload(): void;
  /** The process is about to end: those who leave from now on may come back to the next one, if that knows of them. */
  handOver(): void;
  /**
   * Delivers webhooks that wait, as far as that is possible in time; nothing happens any more.
   *
   * @param deadline as `performance.now()` counts
   */
  drain(deadline: number): Promise<void>;
  close(): Promise<void>;
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
  readonly apps: AppStore;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds, by a clock that nobody sets: for all that is waited for or limited. */
  readonly monotonic: () => number;
  /** May be given instead of made. */
  readonly adapter?: Adapter | undefined;
  readonly onWebhookStep?: ((step: WebhookStep) => void) | undefined;
}

/** The core that is in this process, with what it keeps in the data directory. */
export class LocalCore implements Core {
  readonly adapter: Adapter;
  readonly webhooks: Webhooks;
  readonly cluster = undefined;
  readonly certificates = [];
  readonly incarnation: string;
  readonly #store: Store | undefined;

  private constructor(parts: CoreParts, store: Store | undefined) {
    const { config, now, monotonic, onWebhookStep: onStep } = parts;
    this.#store = store;
    this.incarnation = store ? '' : randomBytes(16).toString('hex');
    this.adapter =
      parts.adapter ?? new MemoryAdapter({ now, monotonic, blockStore: store, kept: keptOptions(parts) });
    const outbox = store?.outbox ?? new MemoryOutbox({ now, ...boundsOf(config) });
    this.webhooks = new Webhooks({ ...parts, outbox, onStep });
  }

  /** @throws DataError if the data directory cannot be used */
  static async open(parts: CoreParts): Promise<LocalCore> {
    const { config, now, log, onWebhookStep: onStep } = parts;
    if (config.data === undefined) return new LocalCore(parts, undefined);
    const bounds = boundsOf(config);
    return new LocalCore(parts, await Store.open({ directory: config.data, bounds, now, log, onStep }));
  }

  get journal(): Journal {
    return this.webhooks.journal;
  }

  countDeliveries() {
    return this.webhooks.countDeliveries();
  }

  ready(): Readiness {
    const fault = this.#store?.fault;
    return fault === undefined ? readyDespite(this.adapter.fault) : degraded(fault);
  }

  metricsOf(own: Registry): Registry {
    return own;
  }

  start(): void {
    this.webhooks.start();
  }

  reload(): void {
    this.webhooks.reload();
  }

  handOver(): void {
    this.webhooks.handOver();
  }

  drain(deadline: number): Promise<void> {
    return this.webhooks.drain(deadline);
  }

  async close(): Promise<void> {
    await this.adapter.close();
    await this.webhooks.close();
    await this.#store?.close();
  }
}

/** Anybody may ask: which server is out of reach, and why, is for the log. */
const OUT_OF_REACH = 'What the nodes share is out of reach: the log says why';

/** What nodes share may be out of reach for all of them at once, so a node is ready all the same. */
export function readyDespite(fault: string | undefined): Readiness {
  return fault === undefined ? { status: 200, body: { status: 'ready' } } : degraded(OUT_OF_REACH);
}

function degraded(reason: string): Readiness {
  return { status: 200, body: { status: 'degraded', reason } };
}

/** What the cache channels of each app may keep, and who is told. */
export function keptOptions({ apps, config, metrics, log }: CoreParts): KeptEventsOptions {
  return {
    boundsOf(appId) {
      const limits = apps.byId(appId)?.limits;
      return { events: limits?.keptEvents ?? 0, bytes: limits?.keptBytes ?? 0 };
    },
    bytes: config.keptBytes,
    onEvicted: (appId) => reached(metrics, log, 'kept_events', { appId }),
  };
}

/** Until when a process that begins to drain now delivers webhooks, as `performance.now()` counts: the end takes a while, too. */
export function webhookDeadline({ drainTimeoutSeconds }: Config): number {
  return performance.now() + drainTimeoutSeconds * 1000 - Math.min(1000, drainTimeoutSeconds * 100);
}
