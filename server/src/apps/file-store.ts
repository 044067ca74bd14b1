import { App, type AppConfig, type AppStore } from './app.ts';

/** The apps of the configuration, which guarantees that ids and keys are unique across apps. */
export class FileAppStore implements AppStore {
  #byId: ReadonlyMap<string, App> = new Map();
  #byKey: ReadonlyMap<string, App> = new Map();

  constructor(apps: readonly AppConfig[]) {
    this.replace(apps);
  }

  /** Replaces the apps. An app whose id remains keeps its object. */
  replace(apps: readonly AppConfig[]): void {
    const byId = new Map<string, App>();
    for (const config of apps) {
      const existing = this.#byId.get(config.id);
      existing?.update(config);
      byId.set(config.id, existing ?? new App(config));
    }
    this.#byId = byId;
    this.#byKey = new Map([...byId.values()].flatMap((app) => app.keys.map((key) => [key, app] as const)));
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
}
