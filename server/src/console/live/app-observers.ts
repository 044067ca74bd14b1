import type { Logger } from 'pino';
import type { App, AppStore } from '../../apps/app.ts';
import type { Hub } from '../../hub/hub.ts';
import type { RecentNames } from '../diagnosis/guesses.ts';
import { LiveObserver } from './app-observer.ts';
import type { Feed } from './feed.ts';

export interface LiveObserversParts {
  readonly apps: AppStore;
  readonly hub: Hub;
  readonly feed: Feed;
  readonly log: Logger;
  readonly now: () => number;
  readonly socketIds: (app: App, limit: number) => readonly string[];
  readonly figures: (app: App) => object;
}

/** The apps that are watched on this node. */
export class LiveObservers {
  readonly #parts: LiveObserversParts;
  readonly #watches = new Map<App, LiveObserver>();

  constructor(parts: LiveObserversParts) {
    this.#parts = parts;
  }

  /** Somebody watches an app, and maybe one of its channels closely: begins to, or goes on. */
  renew(appId: string, channel: string | undefined): void {
    const app = this.#parts.apps.byId(appId);
    if (!app) return;
    let watch = this.#watches.get(app);
    if (!watch) {
      watch = new LiveObserver({ ...this.#parts, app, onEnd: () => this.#watches.delete(app) });
      this.#watches.set(app, watch);
    }
    watch.renew(channel);
  }

  /** What the backend of an app has lately heard of. */
  surroundings(app: App): RecentNames {
    return (
      this.#watches.get(app)?.surroundings ?? { socketIds: this.#parts.socketIds(app, 200), channels: [] }
    );
  }

  close(): void {
    for (const watch of [...this.#watches.values()]) watch.end();
  }
}
