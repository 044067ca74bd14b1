import type { IncomingMessage } from 'node:http';
import type { Express } from 'express';
import type { Logger } from 'pino';
import type { Adapter } from '../adapter/adapter.ts';
import type { AppName, AppStore } from '../apps/app.ts';
import type { Audit } from '../audit/audit.ts';
import type { Config } from '../config/config.ts';
import type { PublicKey } from '../data/signing-key.ts';
import type { Hub } from '../hub/hub.ts';
import type { Metrics } from '../metrics.ts';
import type { Tracing } from '../tracing/tracing.ts';
import type { Quotas } from '../usage/quotas.ts';
import type { WebhookControl } from '../webhooks/control.ts';

/** What the requests of the HTTP API need. */
export interface ApiContext {
  readonly config: Config;
  readonly apps: AppStore;
  readonly hub: Hub;
  readonly adapter: Adapter;
  readonly webhooks: WebhookControl;
  /** The public keys that receivers of webhooks may read. */
  readonly webhookKeys: readonly PublicKey[];
  /** `undefined`: it is off. */
  readonly audit: Audit | undefined;
  readonly metrics: Metrics;
  readonly quotas: Quotas;
  /** `undefined`: nothing is traced. */
  readonly tracing: Tracing | undefined;
  readonly log: Logger;
  /** The clock, in Unix milliseconds. */
  now(): number;
  /** Milliseconds by a monotonic clock. */
  monotonic(): number;
  /**
   * Waits until this node has what other nodes have changed about an app; `undefined`: it has.
   *
   * @throws Unavailable if that cannot be known now
   */
  caughtUp(app: AppName): Promise<void> | undefined;
  /** The client's address, as far as proxies are trusted. */
  addressOf(request: IncomingMessage): string;
  /** What `GET /ready` answers: 200 while the node accepts connections. */
  ready(): { readonly status: number; readonly body: object };
  /** Whether the broker is stopping, so that callers must not keep their connections. */
  isDraining(): boolean;
  /** Adds routes in front of the 404. */
  readonly routes?: (app: Express) => void;
}
