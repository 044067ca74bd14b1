/** Finds the app of a request, and changes it if the app store has it. */

import type { AppConfig } from '../apps/app.ts';
import type { AdministrationType } from '../audit/record.ts';
import type { AdminCall } from './http/endpoint.ts';
import { Problem } from './http/problem.ts';
import { type AppView, etagOf, fileApp, type KeyUses, storedApp } from './http/views.ts';
import type { AppRecord } from './registry/records.ts';
import { changesBetween } from './trail.ts';

/** An app, from one of its two sources. */
export type Found = { readonly file: AppConfig } | { readonly record: AppRecord };

/** An app, if there is one that the caller may see. */
export function lookUp({ registry, actor }: AdminCall, id: string): Found | undefined {
  if (actor.apps !== undefined && !actor.apps.includes(id)) return undefined;
  const record = registry.records.get(id);
  if (record) return { record };
  const file = registry.ofFile(id);
  return file && { file };
}

/** @throws Problem if there is none that the caller may see */
export function findApp(call: AdminCall): Found {
  const id = call.parameters['app_id'] ?? '';
  const found = lookUp(call, id);
  if (found) return found;
  throw new Problem('app_not_found', `There is no app "${id.slice(0, 64)}"`);
}

/** @throws Problem if there is none, or the configuration file manages it */
export function storedAppOf(call: AdminCall): AppRecord {
  const found = findApp(call);
  if ('record' in found) return found.record;
  throw new Problem(
    'managed_by_file',
    `The configuration file of the broker has the app "${found.file.id}": change it there`,
  );
}

export function idOf(found: Found): string {
  return 'record' in found ? found.record.id : found.file.id;
}

export function viewOf(found: Found, uses: KeyUses, now: number): AppView {
  return 'record' in found ? storedApp(found.record, uses, now) : fileApp(found.file, uses);
}

/** @throws Problem if the app has changed since the caller read it */
export function refuseOutdated({ ifMatch }: AdminCall, app: AppRecord): void {
  if (ifMatch === undefined || ifMatch.trim() === '*') return;
  const etag = etagOf(app);
  const named = ifMatch.split(',').map((each) => each.trim());
  if (named.includes(`"${etag}"`) || named.includes(etag)) return;
  throw new Problem('etag_mismatch', `The app has changed: its etag is "${etag}" now`);
}

/** The record after a change, and what the audit log says of it: nothing if nothing is different. */
export function changed(
  call: AdminCall,
  type: AdministrationType,
  before: AppRecord,
  change: Partial<AppRecord>,
  more: { readonly target?: string } = {},
) {
  const wanted: AppRecord = { ...before, ...change };
  if (etagOf(wanted) === etagOf(before)) return { record: before, put: [], entries: [] };
  const record = { ...wanted, updated_at: call.now };
  const changes = changesBetween(essence(before, call.now), essence(record, call.now));
  return {
    record,
    put: [{ kind: 'app', record }] as const,
    entries: [call.entry(type, { app: before.id, ...more, ...(changes.length > 0 && { changes }) })],
  };
}

/** What the audit log compares. */
function essence(record: AppRecord, now: number): object {
  const { etag: _etag, updated_at: _updated, keys, webhooks, ...settings } = storedApp(record, {}, now);
  return {
    ...settings,
    keys: Object.fromEntries(
      keys.map(({ key, state, scopes, expires_at }) => [key, { state, scopes, expires_at }]),
    ),
    webhooks: Object.fromEntries(webhooks.map(({ id, ...hook }) => [id, hook])),
  };
}

/** When the keys of an app were used last. */
export async function usesOf({ live }: AdminCall, appId: string): Promise<KeyUses> {
  const last = Object.entries(await live.keyUses(appId)).map(
    ([key, uses]) => [key, Math.max(...Object.values(uses))] as const,
  );
  return Object.fromEntries(last);
}
