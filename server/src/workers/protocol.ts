import type { MetricObject } from 'prom-client';
import type { Bus, BusListener, ChannelCache, Counters, History, Roster } from '../adapter/adapter.ts';
import type { Journal } from '../adapter/journal.ts';
import type { KeptKeyUses } from '../adapter/key-uses.ts';
import type { AppFigures } from '../adapter/node-figures.ts';
import type { Nonces } from '../adapter/nonces.ts';
import type { Nodes } from '../adapter/questions.ts';
import type { Revocations } from '../adapter/revocations.ts';
import type { Administrator } from '../admin/administration.ts';
import type { AppConfig, AppName } from '../apps/app.ts';
import type { AppChanges } from '../apps/app-changes.ts';
import type { NodeAudit } from '../audit/audit.ts';
import type { DrainReason } from '../broker.ts';
import type { Config } from '../config/config.ts';
import type { Readiness } from '../core/core.ts';
import type { PublicKey } from '../data/signing-key.ts';
import type { LastPositions } from '../history/last-positions.ts';
import type { IdempotencyRecords } from '../idempotency/records.ts';
import type { Figures } from '../usage/figures.ts';
import type { Used } from '../usage/usage-store.ts';
import type { WebhookControl } from '../webhooks/control.ts';

/** What the parent exposes to a worker: everything that the workers share. */
export interface ParentApi {
  readonly bus: Bus;
  readonly roster: Roster;
  readonly channelCache: ChannelCache;
  readonly history: History;
  readonly lastPositions: LastPositions;
  readonly idempotency: IdempotencyRecords;
  readonly counters: Counters;
  readonly nonces: Nonces;
  readonly keyUses: KeptKeyUses;
  readonly revocations: Revocations;
  readonly nodes: Nodes;
  readonly webhooks: WebhookControl;
  /** Records events that only the worker knows of. */
  readonly journal: Journal;
  /** Writes what the worker records, and reads the log. */
  readonly audit: NodeAudit;
  readonly administrator: Administrator;
  readonly apps: { caughtUp(app: AppName): Promise<void> };
  readonly usage: UsageSink;
  readonly group: Group;
}

/** Takes over what the worker has counted. */
export interface UsageSink {
  /** @returns what the apps that have quotas have used, over all nodes */
  take(figures: readonly Figures[]): readonly Used[];
}

/** What a worker asks of the parent that concerns all workers. */
export interface Group {
  /** The metrics of all processes as one, in the format of Prometheus. */
  metrics(): Promise<string>;
  /** A worker calls it in regular intervals: the parent kills a worker that is silent for too long. */
  beat(): void;
}

/** What a worker exposes to the parent. */
export interface WorkerApi {
  readonly listener: BusListener;
  readonly worker: WorkerControl;
}

/** How the parent controls a worker. */
export interface WorkerControl {
  /** Begins to listen; called once, before anything else. */
  begin(message: StartMessage): Promise<Listening>;
  /** The configuration was read again, and its changed apps were sent: reads the certificate again. */
  reload(apps: readonly AppConfig[]): Promise<void>;
  /** Takes over changed apps. */
  takeApps(changes: AppChanges): Promise<void>;
  /** Receives the status of the whole group. */
  setStatus(status: GroupStatus): void;
  /** What happens in this worker in those of these apps that it serves. */
  figures(appIds: readonly string[]): Promise<readonly AppFigures[]>;
  /** How many connections this worker has. */
  connections(): Promise<number>;
  /** How busy this worker is, from 0 to 1. */
  load(): Promise<number>;
  /** The metrics of this worker alone. */
  metrics(): Promise<readonly MetricObject[]>;
  /**
   * Ends gracefully; when it resolves, the worker holds nothing any more.
   *
   * @param reason `replaced`: another worker listens in its place already
   */
  drain(reason: DrainReason): Promise<void>;
}

/** What a worker begins with. */
export interface StartMessage {
  /** Counts from 1; a replacement has the number of the worker that it replaces. */
  readonly number: number;
  readonly config: Config;
  /** The incarnation of the parent's core. */
  readonly incarnation: string;
  /** The public keys of the parent's core. */
  readonly webhookKeys: readonly PublicKey[];
  readonly status: GroupStatus;
  /** The release of the parent. A worker of another release may not understand it. */
  readonly version: string;
  /** The parent's descriptor of a socket that listens already; it replaces host and port. */
  readonly fd: number | undefined;
}

/** Where a worker listens, which is the same for all of them. */
export interface Listening {
  readonly port: number;
  readonly url: string;
  readonly metricsUrl: string | undefined;
}

/** The status of the whole group, as `GET /ready` answers it. */
export type GroupStatus = Readiness['body'];
