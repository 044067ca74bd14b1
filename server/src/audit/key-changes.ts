import type { AppConfig } from '../apps/app.ts';
import type { Audit } from './audit.ts';

type Keys = ReadonlyMap<string, AppConfig['keys'][number]>;

/** Records which keys of the configuration file a reload has added, removed or changed. */
export class KeyChanges {
  readonly #audit: Audit | undefined;
  #apps: readonly AppConfig[];
  #before: ReadonlyMap<string, Keys>;

  /** @param apps those of the file at the start */
  constructor(audit: Audit | undefined, apps: readonly AppConfig[]) {
    this.#audit = audit;
    this.#apps = apps;
    this.#before = keysByApp(apps);
  }

  /** @param apps those of the file now */
  record(apps: readonly AppConfig[]): void {
    // Apps of the store may have changed.
    if (apps === this.#apps) return;
    this.#apps = apps;
    const before = this.#before;
    const after = keysByApp(apps);
    this.#before = after;
    for (const app of new Set([...before.keys(), ...after.keys()])) {
      const old = before.get(app);
      const now = after.get(app);
      for (const key of new Set([...(old?.keys() ?? []), ...(now?.keys() ?? [])])) {
        const reason = changeOf(old?.get(key), now?.get(key));
        if (reason) this.#audit?.record({ type: 'key_changed', app, key, actor: 'configuration', reason });
      }
    }
  }
}

function keysByApp(apps: readonly AppConfig[]): ReadonlyMap<string, Keys> {
  return new Map(apps.map(({ id, keys }) => [id, new Map(keys.map((key) => [key.key, key]))]));
}

function changeOf(before: AppConfig['keys'][number] | undefined, after: typeof before): string | undefined {
  if (!before) return 'added';
  if (!after) return 'removed';
  const changed = Object.keys({ ...before, ...after }).filter(
    (name) => JSON.stringify(Reflect.get(before, name)) !== JSON.stringify(Reflect.get(after, name)),
  );
  return changed.length > 0 ? `changed: ${changed.join(', ')}` : undefined;
}
