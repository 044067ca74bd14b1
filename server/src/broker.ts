import type { Express } from 'express';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Adapter } from './adapter/adapter.ts';
import type { AppConfig } from './apps/app.ts';
import type { ConsoleOptions } from './console/options.ts';
import type { Core } from './core/core.ts';
import type { Metrics } from './metrics.ts';
import type { MetricsText } from './prometheus/endpoint.ts';
import type { WebhookStep } from './webhooks/webhooks.ts';

/** A running broker. */
export interface Broker {
  readonly host: string;
  /** The port that it listens on, also if the configuration says 0. */
  readonly port: number;
  readonly url: string;
  /** The URL of `GET /metrics`; `undefined` if metrics are off. */
  readonly metricsUrl: string | undefined;
  /**
   * Replaces the apps of the configuration. Connections stay open while their app and key are still valid.
   *
   * @throws ConfigError if one of them is in the app store as well: nothing is changed then
   */
  reload(apps: readonly AppConfig[]): Promise<void>;
  /**
   * Ends gracefully: reports that it is not ready, closes the connections over the drain window, answers the requests
   * in progress, and ends. A second call waits for the first one.
   *
   * @param reason `replaced`: another process accepts connections on the same socket, so this one accepts no more and
   *   refuses none. @default "stopping"
   */
  drain(reason?: DrainReason): Promise<void>;
  /** Ends at once. */
  close(): Promise<void>;
}

/** Why a broker drains: it stops, or another process has taken over its socket. */
export type DrainReason = 'stopping' | 'replaced';

/** Parts that a caller may provide. */
export interface BrokerParts {
  /** @default a silent logger */
  readonly log?: Logger;
  /** Where the broker counts. @default metrics of its own */
  readonly metrics?: Metrics;
  /** @default Redis if it is configured, else memory */
  readonly adapter?: Adapter;
  /** @default a core of this process alone, with the adapter */
  readonly core?: Core;
  /** Descriptor of a socket that listens already, instead of host and port. For several processes, in their parent. */
  readonly fd?: number | undefined;
  /** Unix milliseconds. @default Date.now */
  readonly now?: () => number;
  /** Monotonic milliseconds, for everything that is waited for or limited. @default performance.now */
  readonly monotonic?: () => number;
  /** Creates the id of a new connection. @default random numbers that nobody can guess */
  readonly newSocketId?: () => string;
  /** Called at each step of a webhook, so that a test can end the process there. */
  readonly onWebhookStep?: (step: WebhookStep) => void;
  /** The answer to `GET /metrics`, given the metrics of this process. @default these metrics */
  readonly metricsText?: (own: Registry) => MetricsText;
  /** Options of the console. */
  readonly console?: ConsoleOptions;
  /** Whether the broker answers only this machine and pages from it. @default false */
  readonly localOnly?: boolean;
  /** Ends the process gracefully, because the admin API drains it. @default the broker drains */
  readonly onDrain?: () => void;
  /** Adds routes to the HTTP server, before its 404. */
  readonly routes?: (app: Express) => void;
}
