import { z } from 'zod';
import { webhookSchema } from '../../apps/hook.ts';
import { changed, findApp, refuseOutdated, storedAppOf, viewOf } from '../app-access.ts';
import { asSent, makeHook, refuseDoubleHooks, refuseGuessable } from '../app-records.ts';
import { check } from '../http/check.ts';
import { type AdminEndpoint, READERS, WRITERS } from '../http/endpoint.ts';
import { mergePatch } from '../http/merge-patch.ts';
import { page } from '../http/pages.ts';
import { Problem } from '../http/problem.ts';
import {
  hookAnswer,
  hookInput,
  hookSecretMade,
  hookSettingsSchema,
  listOf,
  MAX_HOOKS,
  newHookAnswer,
  pageParameters,
  patchSchema,
} from '../http/schemas.ts';
import { storedHook } from '../http/views.ts';
import { newId, newWebhookSecret } from '../random.ts';
import { type AppRecord, type HookRecord, isAhead } from '../registry/records.ts';

/** Secrets that sign at one time. */
const MAX_SECRETS = 2;
const MAX_RETIRE = 604_800;

const NOT_BY_PATCH: ReadonlyMap<string, string> = new Map([
  ['secret', 'use /apps/ID/webhooks/HOOK/secrets'],
  ['secrets', 'use /apps/ID/webhooks/HOOK/secrets'],
  ['id', 'nothing, since it is read-only'],
  ['created_at', 'nothing, since it is read-only'],
]);

const listWebhooks: AdminEndpoint = {
  operationId: 'listWebhooks',
  summary: 'The webhooks of an app, without secrets and the values of headers',
  method: 'GET',
  path: '/apps/{app_id}/webhooks',
  roles: READERS,
  query: pageParameters,
  status: 200,
  answer: listOf('webhooks', hookAnswer),
  run(call) {
    const { items, ...more } = page(viewOf(findApp(call), {}, call.now).webhooks, ({ id }) => id, call.query);
    return { status: 200, body: { webhooks: items, ...more } };
  },
};

const createWebhook: AdminEndpoint = {
  operationId: 'createWebhook',
  summary: 'Makes a webhook; without "secret" with one, which is shown in the answer only',
  method: 'POST',
  path: '/apps/{app_id}/webhooks',
  roles: WRITERS,
  body: hookInput,
  status: 201,
  answer: newHookAnswer,
  run(call) {
    storedAppOf(call);
    const made = new Map<string, string>();
    const hook = makeHook(asSent(call.body), call.now, made);
    refuseGuessable({ keys: [], webhooks: [hook] });
    return call.change(() => {
      const before = storedAppOf(call);
      if (before.webhooks.length >= MAX_HOOKS)
        throw new Problem('limit_reached', `The app has its ${MAX_HOOKS} webhooks`);
      const webhooks = [...before.webhooks, hook];
      const { record, put, entries } = changed(
        call,
        'webhook.created',
        before,
        { webhooks },
        { target: hook.id },
      );
      refuseDoubleHooks(record);
      const secret = made.get(hook.id);
      const body = { ...storedHook(hook, call.now), ...(secret !== undefined && { secret }) };
      return { put, entries, result: { status: 201, body } };
    });
  },
};

const changeWebhook: AdminEndpoint = {
  operationId: 'changeWebhook',
  summary: 'Changes a webhook by a merge patch; null means the default',
  method: 'PATCH',
  path: '/apps/{app_id}/webhooks/{hook}',
  roles: WRITERS,
  body: patchSchema(hookSettingsSchema),
  bodyTypes: ['application/merge-patch+json'],
  status: 200,
  answer: hookAnswer,
  run(call) {
    const patch = asSent(call.body);
    hookOf(storedAppOf(call), call.parameters['hook']);
    refuseFields(patch);
    return call.change(() => {
      const before = storedAppOf(call);
      refuseOutdated(call, before);
      const hook = hookOf(before, call.parameters['hook']);
      const settings = mergePatch(hook.settings, patch) as Record<string, unknown>;
      check(webhookSchema, settings);
      const after = { ...hook, settings };
      const { put, entries } = changed(
        call,
        'webhook.updated',
        before,
        { webhooks: before.webhooks.map((each) => (each === hook ? after : each)) },
        { target: hook.id },
      );
      return { put, entries, result: { status: 200, body: storedHook(after, call.now) } };
    });
  },
};

const deleteWebhook: AdminEndpoint = {
  operationId: 'deleteWebhook',
  summary: 'Removes a webhook and what it has still to deliver',
  method: 'DELETE',
  path: '/apps/{app_id}/webhooks/{hook}',
  roles: WRITERS,
  status: 204,
  run(call) {
    storedAppOf(call);
    return call.change(() => {
      const before = storedAppOf(call);
      refuseOutdated(call, before);
      const hook = hookOf(before, call.parameters['hook']);
      const webhooks = before.webhooks.filter((each) => each !== hook);
      const { put, entries } = changed(call, 'webhook.deleted', before, { webhooks }, { target: hook.id });
      return { put, entries, result: { status: 204 } };
    });
  },
};

const addSecret: AdminEndpoint = {
  operationId: 'addWebhookSecret',
  summary: 'Adds a secret, which is shown in the answer only; both sign until the older one ends',
  method: 'POST',
  path: '/apps/{app_id}/webhooks/{hook}/secrets',
  roles: WRITERS,
  query: z.strictObject({
    retire: z
      .string()
      .refine((text) => /^\d{1,6}$/.test(text) && Number(text) <= MAX_RETIRE, `expected 0 to ${MAX_RETIRE}`)
      .optional()
      .describe('Seconds after which the older secrets end'),
  }),
  body: z.strictObject({}),
  status: 201,
  answer: hookSecretMade,
  run(call) {
    const { now, query } = call;
    hookOf(storedAppOf(call), call.parameters['hook']);
    const added = { id: newId(), secret: newWebhookSecret(), created_at: now, ends_at: null };
    const retireAt = query['retire'] === undefined ? undefined : now + Number(query['retire']);
    return call.change(() => {
      const before = storedAppOf(call);
      const hook = hookOf(before, call.parameters['hook']);
      const older = hook.secrets
        .filter(({ ends_at }) => isAhead(ends_at, now))
        .map((secret) =>
          retireAt === undefined
            ? secret
            : { ...secret, ends_at: Math.min(retireAt, secret.ends_at ?? Infinity) },
        );
      const live = older.filter(({ ends_at }) => isAhead(ends_at, now));
      if (live.length >= MAX_SECRETS)
        throw new Problem(
          'secret_limit',
          'Two secrets sign already: wait until one has ended, or add ?retire=0',
        );
      const after: HookRecord = { ...hook, secrets: [added, ...live] };
      const webhooks = before.webhooks.map((each) => (each === hook ? after : each));
      const { put, entries } = changed(
        call,
        'webhook.secret_added',
        before,
        { webhooks },
        { target: hook.id },
      );
      const retiring = older
        .filter(({ ends_at }) => ends_at !== null)
        .map(({ id, ends_at }) => ({ id, ends_at }));
      const { id, secret, created_at } = added;
      return { put, entries, result: { status: 201, body: { id, secret, created_at, retiring } } };
    });
  },
};

export const webhookEndpoints: readonly AdminEndpoint[] = [
  listWebhooks,
  createWebhook,
  changeWebhook,
  deleteWebhook,
  addSecret,
];

function hookOf(app: AppRecord, id: string | undefined): HookRecord {
  const hook = app.webhooks.find((each) => each.id === id);
  if (!hook) throw new Problem('webhook_not_found', `The app "${app.id}" has no such webhook`);
  return hook;
}

function refuseFields(patch: Readonly<Record<string, unknown>>): void {
  const errors = Object.keys(patch).flatMap((name) => {
    const instead = NOT_BY_PATCH.get(name);
    if (instead !== undefined) return [{ path: name, expected: instead }];
    return name in hookSettingsSchema.shape ? [] : [{ path: name.slice(0, 100), expected: 'no such field' }];
  });
  if (errors.length === 0) return;
  const detail = errors.map(({ path, expected }) => `"${path}": expected ${expected}`).join('; ');
  throw new Problem('invalid_request', detail.slice(0, 500), { errors });
}
