import type { IncomingMessage } from 'node:http';
import express, { type Express } from 'express';
import type { Logger } from 'pino';
import type { Adapter } from '../adapter/adapter.ts';
import type { Call } from '../api/endpoint.ts';
import type { App, AppStore } from '../apps/app.ts';
import type { Config } from '../config/config.ts';
import { isLoopback } from '../config/loopback.ts';
import type { Hub } from '../hub/hub.ts';
import type { Metrics } from '../metrics.ts';
import { BlockedSessions } from './ended-sessions.ts';
import { LiveObservers } from './live/app-observers.ts';
import { Feed } from './live/feed.ts';
import { LiveApps } from './live/live-apps.ts';
import { consoleApi } from './routes.ts';
import { securityHeaders } from './security-headers.ts';
import { Sessions } from './sessions.ts';
import { signIn } from './sign-in.ts';
import { staticFiles } from './static-files.ts';
import { statsOf } from './stats.ts';

/** How a console differs from the usual one. */
export interface ConsoleOptions {
  /** Lets everybody in without a sign-in, to the first app. Only on loopback. @default false */
  readonly open?: boolean;
}

export interface ConsoleParts extends ConsoleOptions {
  readonly config: Config;
  readonly apps: AppStore;
  readonly adapter: Adapter;
  readonly hub: Hub;
  readonly webhooks: Call['webhooks'];
  readonly metrics: Metrics;
  /** That of the core. */
  readonly incarnation: string;
  readonly log: Logger;
  readonly now: () => number;
  /** Milliseconds, by a clock that nobody sets. */
  readonly monotonic: () => number;
  readonly addressOf: (request: IncomingMessage) => string;
  readonly isSecure: (request: IncomingMessage) => boolean;
  /** Socket ids of an app, the newest first. */
  readonly socketIds: (app: App, limit: number) => readonly string[];
}

/** Pages on which people see what happens in their app (docs/console.md). */
export class Console {
  readonly #parts: ConsoleParts;
  readonly #liveApps: LiveApps;
  readonly #watches: LiveObservers;

  /** @throws Error if it were to be open to others than this machine */
  constructor(parts: ConsoleParts) {
    const { config, apps, hub, metrics, log, now, open = false } = parts;
    if (open && !isLoopback(config.host))
      throw new Error('A console without a sign-in is served on loopback only');
    this.#parts = parts;
    this.#liveApps = new LiveApps(apps, (appId) => metrics.hide(appId));
    const feed = new Feed({ liveApps: this.#liveApps, hub, log });
    this.#watches = new LiveObservers({
      ...parts,
      feed,
      figures: (app) => statsOf(app, metrics, now()),
    });
  }

  /** The apps that clients may connect to: the given ones, and those of the console. */
  get connectable(): AppStore {
    return this.#liveApps.connectable;
  }

  /** Somebody watches an app; all nodes are told. */
  watch(appId: string, channel: string | undefined): void {
    this.#watches.renew(appId, channel);
  }

  /** Adds its pages below `/console`. */
  routes(app: Express): void {
    const { config, adapter, open = false, isSecure } = this.#parts;
    const { pathPrefix } = config;
    const path = `${pathPrefix}/console`;
    const ended = new BlockedSessions({ ...this.#parts, liveApps: this.#liveApps });
    const sessions = new Sessions({ ...this.#parts, path, open, ended });
    const router = express.Router({ strict: true });
    router.use(securityHeaders({ config, open, isSecure }));
    router.use(
      '/api',
      consoleApi({
        ...this.#parts,
        pathPrefix,
        sessions,
        liveApps: this.#liveApps,
        watches: this.#watches,
        signIn: signIn({ ...this.#parts, sessions, counters: adapter.counters }),
      }),
    );
    router.use(staticFiles());
    app.use(path, router);
  }

  close(): void {
    this.#watches.close();
  }
}
