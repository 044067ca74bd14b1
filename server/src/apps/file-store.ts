import { App, type AppConfig, type AppStore } from './app.ts';
import type { AppChanges } from './app-changes.ts';

/** The apps of the configuration, which guarantees that ids and keys are unique across apps. */
export class FileAppStore implements AppStore {
  readonly #byId = new Map<string, App>();
  readonly #byKey = new Map<string, App>();

  constructor(apps: readonly AppConfig[]) {
    this.take({ put: apps, removed: [] });
  }

  /** Takes over changed apps. An app whose id remains keeps its object. */
  take({ put, removed }: AppChanges): void {
    for (const id of removed) {
      this.#forgetKeys(id);
      this.#byId.delete(id);
    }
    // First, since one app may have the key now that another one had.
    for (const { id } of put) this.#forgetKeys(id);
    for (const config of put) {
      const existing = this.#byId.get(config.id);
      existing?.update(config);
      const app = existing ?? new App(config);
      this.#byId.set(app.id, app);
      for (const key of app.keys) this.#byKey.set(key, app);
    }
  }

  byId(id: string): App | undefined {
    return this.#byId.get(id);
  }

  byKey(key: string): App | undefined {
    return this.#byKey.get(key);
  }

  all(): Iterable<App> {
    return this.#byId.values();
  }

  #forgetKeys(id: string): void {
    for (const key of this.#byId.get(id)?.keys ?? []) this.#byKey.delete(key);
  }
}
