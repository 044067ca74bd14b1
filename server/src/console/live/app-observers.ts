import type { Logger } from 'pino';
import type { Adapter } from '../../adapter/adapter.ts';
import type { Range } from '../../adapter/figure-ranges.ts';
import type { App, AppStore } from '../../apps/app.ts';
import type { Hub } from '../../hub/hub.ts';
import type { OpenConnections } from '../../socket/open-connections.ts';
import type { RecentNames } from '../diagnosis/guesses.ts';
import type { AppStats } from '../figures/stats.ts';
import type { PastStep } from '../figures/track.ts';
import { LiveObserver, type Watched } from './app-observer.ts';
import type { Feed } from './feed.ts';

export interface LiveObserversParts {
  readonly apps: AppStore;
  readonly hub: Hub;
  readonly adapter: Adapter;
  readonly feed: Feed;
  readonly log: Logger;
  readonly now: () => number;
  readonly monotonic: () => number;
  readonly connections: OpenConnections;
  readonly figures: (app: App) => AppStats;
  readonly past: (app: App, range: Range) => readonly PastStep[];
}

/** The observers on this node, one for each app that a page of the console shows. */
export class LiveObservers {
  readonly #parts: LiveObserversParts;
  readonly #observers = new Map<App, LiveObserver>();

  constructor(parts: LiveObserversParts) {
    this.#parts = parts;
  }

  /** Starts to observe an app, and what of it a page shows closely, or goes on for another while. */
  renew(appId: string, watched: Watched): void {
    const app = this.#parts.apps.byId(appId);
    if (!app) return;
    let observer = this.#observers.get(app);
    if (!observer) {
      observer = new LiveObserver({ ...this.#parts, app, onEnd: () => this.#observers.delete(app) });
      this.#observers.set(app, observer);
    }
    observer.renew(watched);
  }

  /** Names that the backend of an app has seen lately. */
  recentNames(app: App): RecentNames {
    return (
      this.#observers.get(app)?.recentNames ?? {
        socketIds: this.#parts.connections.socketIds(app, 200),
        channels: [],
      }
    );
  }

  close(): void {
    for (const observer of [...this.#observers.values()]) observer.end();
  }
}
