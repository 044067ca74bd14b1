import type { MetricObject } from 'prom-client';
import type { Bus, BusListener, ChannelCache, Counters, Roster } from '../adapter/adapter.ts';
import type { Blocks } from '../adapter/blocks.ts';
import type { DomainEvent } from '../adapter/journal.ts';
import type { AppConfig } from '../apps/app.ts';
import type { Config } from '../config/config.ts';
import type { Readiness } from '../core/core.ts';
import type { WebhookControl } from '../webhooks/webhooks.ts';

/** What the parent does for a worker: it keeps all that workers share. */
export interface ParentApi extends Bus, Roster, ChannelCache, Counters, Blocks, WebhookControl {
  /** Has the journal take down what only the worker knows; resolves when that cannot be lost any more. */
  record(happenings: readonly DomainEvent[]): Promise<void>;
  /** The metrics of all processes as one, in the format of Prometheus. */
  metrics(): Promise<string>;
  /** Is called in regular intervals: a worker that is not heard for long is taken for one that hangs. */
  beat(): void;
}

/** What a worker does for the parent. */
export interface WorkerApi extends BusListener {
  /** Begins to listen; asked once, before anything else. */
  begin(work: StartMessage): Promise<Listening>;
  /** Takes over another list of apps. */
  reload(apps: readonly AppConfig[]): void;
  /** Learns how all workers stand together. */
  stand(standing: GroupStatus): void;
  /** Its own metrics. */
  metrics(): Promise<readonly MetricObject[]>;
  /**
   * Ends gracefully; when it answers, it holds nothing any more.
   *
   * @param replaced another worker has its place already
   */
  drain(replaced: boolean): Promise<void>;
}

/** What a worker begins with. */
export interface StartMessage {
  /** Counts from 1; who replaces a worker has its number. */
  readonly number: number;
  readonly config: Config;
  /** That of the core. */
  readonly incarnation: string;
  readonly standing: GroupStatus;
  /** The release of the parent. A worker of another one may not understand it. */
  readonly version: string;
  /** The parent's descriptor of a socket that listens already, in the place of host and port. */
  readonly fd: number | undefined;
}

/** Where a worker listens: all at the same place. */
export interface Listening {
  readonly port: number;
  readonly url: string;
  readonly metricsUrl: string | undefined;
}

/** How all workers stand together, as `GET /ready` tells it. */
export type GroupStatus = Readiness['body'];
