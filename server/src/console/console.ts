import type { IncomingMessage } from 'node:http';
import express, { type Express } from 'express';
import type { Logger } from 'pino';
import type { Adapter } from '../adapter/adapter.ts';
import type { Administrator } from '../admin/administration.ts';
import type { Call } from '../api/endpoint.ts';
import type { AppStore } from '../apps/app.ts';
import type { Config } from '../config/config.ts';
import { isLoopback } from '../config/loopback.ts';
import type { Hub } from '../hub/hub.ts';
import type { Metrics } from '../metrics.ts';
import type { OpenConnections } from '../socket/open-connections.ts';
import { adminApi } from './admin-api.ts';
import { BlockedSessions } from './ended-sessions.ts';
import { PastFigures } from './figures/past.ts';
import { statsOf } from './figures/stats.ts';
import type { Watched } from './live/app-observer.ts';
import { LiveObservers } from './live/app-observers.ts';
import { Feed } from './live/feed.ts';
import { LiveApps } from './live/live-apps.ts';
import type { ConsoleOptions } from './options.ts';
import { providerSignIn } from './provider-sign-in.ts';
import { consoleApi } from './routes.ts';
import { ownPagesOnly, securityHeaders } from './security-headers.ts';
import { Sessions } from './sessions.ts';
import { signIn } from './sign-in.ts';
import { staticFiles } from './static-files.ts';

export interface ConsoleParts extends ConsoleOptions {
  readonly config: Config;
  readonly apps: AppStore;
  readonly adapter: Adapter;
  readonly hub: Hub;
  readonly administrator: Administrator;
  /** The description of the admin API. */
  readonly document: () => object;
  readonly webhooks: Call['webhooks'];
  readonly audit: Call['audit'];
  readonly metrics: Metrics;
  readonly quotas: Call['quotas'];
  readonly incarnation: string;
  readonly log: Logger;
  readonly now: () => number;
  /** Milliseconds, by a clock that nobody sets. */
  readonly monotonic: () => number;
  readonly addressOf: (request: IncomingMessage) => string;
  readonly isSecure: (request: IncomingMessage) => boolean;
  readonly connections: OpenConnections;
}

/** The console: pages on which users watch their app (docs/console.md). */
export class Console {
  readonly #parts: ConsoleParts;
  readonly #liveApps: LiveApps;
  readonly #observers: LiveObservers;
  readonly #past: PastFigures;

  /** @throws Error if there is no sign-in and the broker does not listen on loopback */
  constructor(parts: ConsoleParts) {
    const { config, apps, hub, metrics, log, now, open = false } = parts;
    if (open && !isLoopback(config.host))
      throw new Error('A console without a sign-in is served on loopback only');
    this.#parts = parts;
    this.#liveApps = new LiveApps(apps, (appId) => metrics.hide(appId));
    const feed = new Feed({ liveApps: this.#liveApps, hub, log });
    this.#past = new PastFigures(parts);
    this.#observers = new LiveObservers({
      ...parts,
      feed,
      figures: (app) => statsOf(app, metrics, now()),
      past: (app, range) => this.#past.of(app, range),
    });
  }

  /** The apps that clients may connect to: the configured ones, and those of the console. */
  get connectable(): AppStore {
    return this.#liveApps.connectable;
  }

  /** Sends live data of an app for a while, with what a page shows closely. */
  watch(appId: string, watched: Watched): void {
    this.#observers.renew(appId, watched);
  }

  /** Adds the pages below `/console`. */
  routes(app: Express): void {
    const { config, adapter, open = false, isSecure } = this.#parts;
    const { pathPrefix } = config;
    const path = `${pathPrefix}/console`;
    const ended = new BlockedSessions({ ...this.#parts, liveApps: this.#liveApps });
    const sessions = new Sessions({ ...this.#parts, path, open, ended });
    const router = express.Router({ strict: true });
    router.use(securityHeaders({ config, open, isSecure }));
    const adminPath = `${path}/api/admin`;
    router.use('/sign-in', providerSignIn({ ...this.#parts, path, adminPath }));
    router.use('/api', ownPagesOnly);
    router.use('/api/admin', adminApi({ ...this.#parts, path: adminPath }));
    router.use(
      '/api',
      consoleApi({
        ...this.#parts,
        pathPrefix,
        sessions,
        liveApps: this.#liveApps,
        observers: this.#observers,
        signIn: signIn({ ...this.#parts, sessions, counters: adapter.counters }),
      }),
    );
    router.use(staticFiles());
    app.use(path, router);
  }

  close(): void {
    this.#observers.close();
    this.#past.close();
  }
}
