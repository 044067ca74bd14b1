import type { AppConfig } from '../apps/app.ts';
import type { Audit } from './audit.ts';

type Keys = ReadonlyMap<string, AppConfig['keys'][number]>;

/** Records which keys a reload has added, removed or given another secret. */
export function recordKeyChanges(
  audit: Audit | undefined,
  before: readonly AppConfig[],
  after: readonly AppConfig[],
): void {
  if (!audit) return;
  const keysBefore = keysByApp(before);
  const keysAfter = keysByApp(after);
  for (const app of new Set([...keysBefore.keys(), ...keysAfter.keys()])) {
    const old = keysBefore.get(app);
    const now = keysAfter.get(app);
    for (const key of new Set([...(old?.keys() ?? []), ...(now?.keys() ?? [])])) {
      const reason = changeOf(old?.get(key), now?.get(key));
      if (reason) audit.record({ type: 'key_changed', app, key, actor: 'configuration', reason });
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
