import { z } from 'zod';
import { NEW_GRANTS } from '../../apps/app.ts';
import { changed, findApp, idOf, refuseOutdated, storedAppOf, usesOf, viewOf } from '../app-access.ts';
import {
  asSent,
  checkSettings,
  type Made,
  makeHook,
  makeKey,
  refuseDoubleHooks,
  refuseGuessable,
  refuseTakenKeys,
} from '../app-records.ts';
import { type AdminEndpoint, needStore, READERS, WRITERS } from '../http/endpoint.ts';
import { mergePatch } from '../http/merge-patch.ts';
import { page, pageQuery } from '../http/pages.ts';
import { type FieldError, Problem } from '../http/problem.ts';
import { appAnswer, appInputSchema, listOf, patchSchema, settingsSchema } from '../http/schemas.ts';
import { type AppView, storedApp } from '../http/views.ts';
import { newAppId } from '../random.ts';
import type { AppRecord } from '../registry/records.ts';

/** Most of the apps of the store. */
const MAX_APPS = 10_000;
/** Fields of an app that PATCH does not change, and what to do in its place. */
const NOT_BY_PATCH: ReadonlyMap<string, string> = new Map([
  ['keys', 'use /apps/ID/keys'],
  ['webhooks', 'use /apps/ID/webhooks'],
  ...['id', 'managed_by', 'created_at', 'updated_at', 'etag'].map(
    (name) => [name, 'nothing, since it is read-only'] as const,
  ),
]);

const listApps: AdminEndpoint = {
  operationId: 'listApps',
  summary: 'The apps of the configuration file and of the app store',
  method: 'GET',
  path: '/apps',
  roles: READERS,
  query: z.strictObject({
    ...pageQuery,
    q: z.string().max(200).optional().describe('Part of the id or name, in any case'),
  }),
  status: 200,
  answer: listOf('apps', appAnswer),
  async run(call) {
    const { registry, actor, query } = call;
    const wanted = String(query['q'] ?? '').toLowerCase();
    const all = [
      ...registry.file.map((file) => ({ file })),
      ...[...registry.records.values()].map((record) => ({ record })),
    ].filter((found) => {
      const id = idOf(found);
      if (actor.apps && !actor.apps.includes(id)) return false;
      if (wanted === '') return true;
      const name = 'file' in found ? found.file.name : found.record.settings['name'];
      return `${id}\n${String(name ?? '')}`.toLowerCase().includes(wanted);
    });
    const { items, ...more } = page(all, idOf, query);
    const apps = await Promise.all(
      items.map(async (found) => viewOf(found, await usesOf(call, idOf(found)), call.now)),
    );
    return { status: 200, body: { apps, ...more } };
  },
};

const createApp: AdminEndpoint = {
  operationId: 'createApp',
  summary: 'Makes an app; without "keys" with one, whose secret is shown in the answer only',
  method: 'POST',
  path: '/apps',
  roles: WRITERS,
  isWide: true,
  body: appInputSchema,
  status: 201,
  answer: appAnswer,
  run(call) {
    needStore(call);
    const { registry, now } = call;
    const { id = newAppId(), keys = [{}], webhooks = [], ...settings } = asSent(call.body);
    const made = { keys: new Map<string, string>(), hooks: new Map<string, string>() };
    checkSettings(call, settings);
    const record: AppRecord = {
      id: String(id),
      settings: { grants: NEW_GRANTS, ...settings },
      keys: (keys as object[]).map((key) => makeKey(key, now, made.keys)),
      webhooks: (webhooks as Record<string, unknown>[]).map((hook) => makeHook(hook, now, made.hooks)),
      created_at: now,
      updated_at: now,
    };
    refuseGuessable(record);
    refuseDoubleHooks(record);
    return call.change(() => {
      if (registry.records.has(record.id) || registry.ofFile(record.id))
        throw new Problem('app_exists', `There is an app "${record.id}" already`);
      refuseTakenKeys(registry, record);
      if (registry.records.size >= MAX_APPS)
        throw new Problem('limit_reached', `The app store has its ${MAX_APPS} apps`);
      const view = storedApp(record, {}, now);
      const body = withSecrets(view, made.keys, made.hooks);
      return {
        put: [{ kind: 'app', record }],
        entries: [call.entry('app.created', { app: record.id })],
        result: { status: 201, headers: { ETag: `"${view.etag}"` }, body },
      };
    });
  },
};

const showApp: AdminEndpoint = {
  operationId: 'showApp',
  summary: 'An app with all its settings',
  method: 'GET',
  path: '/apps/{app_id}',
  roles: READERS,
  status: 200,
  answer: appAnswer,
  async run(call) {
    const found = findApp(call);
    const view = viewOf(found, await usesOf(call, idOf(found)), call.now);
    return { status: 200, headers: { ETag: `"${view.etag}"` }, body: view };
  },
};

const changeApp: AdminEndpoint = {
  operationId: 'changeApp',
  summary: 'Changes settings by a merge patch; null means the default',
  method: 'PATCH',
  path: '/apps/{app_id}',
  roles: WRITERS,
  body: patchSchema(settingsSchema),
  bodyTypes: ['application/merge-patch+json'],
  status: 200,
  answer: appAnswer,
  async run(call) {
    const patch = asSent(call.body);
    const { id } = storedAppOf(call);
    refuseFields(patch);
    const uses = await usesOf(call, id);
    return call.change(() => {
      const before = storedAppOf(call);
      refuseOutdated(call, before);
      const settings = mergePatch(before.settings, patch) as Record<string, unknown>;
      checkSettings(call, settings);
      const { record, put, entries } = changed(call, 'app.updated', before, { settings });
      const view = storedApp(record, uses, call.now);
      return {
        put,
        entries,
        result: { status: 200, headers: { ETag: `"${view.etag}"` }, body: view },
      };
    });
  },
};

export const appEndpoints: readonly AdminEndpoint[] = [listApps, createApp, showApp, changeApp];

function withSecrets(view: AppView, keys: Made, hooks: Made): object {
  return {
    ...view,
    keys: view.keys.map((key) => ({ ...key, ...(keys.has(key.key) && { secret: keys.get(key.key) }) })),
    webhooks: view.webhooks.map((hook) => ({
      ...hook,
      ...(hooks.has(hook.id) && { secret: hooks.get(hook.id) }),
    })),
  };
}

/** @throws Problem for fields that do not exist or are not changed by PATCH, also where their value is null */
function refuseFields(patch: Readonly<Record<string, unknown>>): void {
  const errors: FieldError[] = Object.keys(patch).flatMap((name) => {
    const instead = NOT_BY_PATCH.get(name);
    if (instead !== undefined) return [{ path: name, expected: instead }];
    return name in settingsSchema.shape ? [] : [{ path: name.slice(0, 100), expected: 'no such field' }];
  });
  if (errors.length === 0) return;
  const detail = errors.map(({ path, expected }) => `"${path}": expected ${expected}`).join('; ');
  throw new Problem('invalid_request', detail.slice(0, 500), { errors });
}
