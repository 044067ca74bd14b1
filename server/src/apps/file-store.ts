import { App, type AppConfig, type AppStore } from './app.ts';

/** The apps of the configuration. Ids and keys are unique across apps; the configuration sees to that. */
export class FileAppStore implements AppStore {
  #byId: ReadonlyMap<string, App> = new Map();
  #byKey: ReadonlyMap<string, App> = new Map();

  constructor(apps: readonly AppConfig[]) {
    this.replace(apps);
  }

  /** Takes over what a reload brought: an app whose id still stands keeps its object. */
  replace(apps: readonly AppConfig[]): void {
    const byId = new Map<string, App>();
    for (const config of apps) {
      const standing = this.#byId.get(config.id);
      standing?.update(config);
      byId.set(config.id, standing ?? new App(config));
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
