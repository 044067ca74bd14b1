import type { Logger } from 'pino';
import type { App, AppStore } from '../../apps/app.ts';
import type { Hub } from '../../hub/hub.ts';
import type { Surroundings } from '../diagnosis/guesses.ts';
import { Watch } from './app-observer.ts';
import type { Feed } from './feed.ts';

export interface WatchesParts {
  readonly apps: AppStore;
  readonly hub: Hub;
  readonly feed: Feed;
  readonly log: Logger;
  readonly now: () => number;
  readonly socketIds: (app: App, limit: number) => readonly string[];
  readonly figures: (app: App) => object;
}

/** The apps that are watched on this node. */
export class Watches {
  readonly #parts: WatchesParts;
  readonly #watches = new Map<App, Watch>();

  constructor(parts: WatchesParts) {
    this.#parts = parts;
  }

  /** Somebody watches an app, and maybe one of its channels closely: begins to, or goes on. */
  renew(appId: string, channel: string | undefined): void {
    const app = this.#parts.apps.byId(appId);
    if (!app) return;
    let watch = this.#watches.get(app);
    if (!watch) {
      watch = new Watch({ ...this.#parts, app, onEnd: () => this.#watches.delete(app) });
      this.#watches.set(app, watch);
    }
    watch.renew(channel);
  }

  /** What the backend of an app has lately heard of. */
  surroundings(app: App): Surroundings {
    return (
      this.#watches.get(app)?.surroundings ?? { socketIds: this.#parts.socketIds(app, 200), channels: [] }
    );
  }

  close(): void {
    for (const watch of [...this.#watches.values()]) watch.end();
  }
}
