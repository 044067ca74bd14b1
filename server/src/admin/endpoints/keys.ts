import { changed, findApp, idOf, refuseOutdated, storedAppOf, usesOf, viewOf } from '../app-access.ts';
import { asSent, makeKey, refuseTakenKeys } from '../app-records.ts';
import { type AdminEndpoint, READERS, WRITERS } from '../http/endpoint.ts';
import { page } from '../http/pages.ts';
import { Problem } from '../http/problem.ts';
import {
  keyAnswer,
  keyPatch,
  listOf,
  MAX_KEYS,
  newKeyAnswer,
  newKeyInput,
  pageParameters,
} from '../http/schemas.ts';
import { storedKey } from '../http/views.ts';
import type { AppRecord, KeyRecord } from '../registry/records.ts';

const listKeys: AdminEndpoint = {
  operationId: 'listKeys',
  summary: 'The keys of an app, without their secrets',
  method: 'GET',
  path: '/apps/{app_id}/keys',
  roles: READERS,
  query: pageParameters,
  status: 200,
  answer: listOf('keys', keyAnswer),
  async run(call) {
    const found = findApp(call);
    const { keys } = viewOf(found, await usesOf(call, idOf(found)), call.now);
    const { items, ...more } = page(keys, ({ key }) => key, call.query);
    return { status: 200, body: { keys: items, ...more } };
  },
};

const createKey: AdminEndpoint = {
  operationId: 'createKey',
  summary: 'Makes a key; its secret is shown in the answer only',
  method: 'POST',
  path: '/apps/{app_id}/keys',
  roles: WRITERS,
  body: newKeyInput,
  status: 201,
  answer: newKeyAnswer,
  run(call) {
    storedAppOf(call);
    const made = new Map<string, string>();
    const key = makeKey(asSent(call.body), call.now, made);
    return call.change(() => {
      const before = storedAppOf(call);
      if (before.keys.length >= MAX_KEYS)
        throw new Problem('limit_reached', `The app has its ${MAX_KEYS} keys: delete revoked ones`);
      const { record, put, entries } = changed(
        call,
        'key.created',
        before,
        { keys: [...before.keys, key] },
        { target: key.key },
      );
      refuseTakenKeys(call.registry, record);
      const { secret } = key;
      const body = { ...storedKey(key, {}), ...(secret !== undefined && { secret }) };
      return { put, entries, result: { status: 201, body } };
    });
  },
};

const changeKey: AdminEndpoint = {
  operationId: 'changeKey',
  summary: 'Changes what a key is good for, and until when; a revoked key is never valid again',
  method: 'PATCH',
  path: '/apps/{app_id}/keys/{key}',
  roles: WRITERS,
  body: keyPatch,
  bodyTypes: ['application/merge-patch+json'],
  status: 200,
  answer: keyAnswer,
  async run(call) {
    const app = storedAppOf(call);
    keyOf(app, call.parameters['key']);
    const { state, scopes, expires_at } = keyPatch.parse(call.body);
    const uses = await usesOf(call, app.id);
    return call.change(() => {
      const before = storedAppOf(call);
      refuseOutdated(call, before);
      const key = keyOf(before, call.parameters['key']);
      if (key.state === 'revoked' && state !== undefined && state !== 'revoked')
        throw new Problem('key_revoked', `The key "${key.key}" is revoked for good: make another one`);
      const after: KeyRecord = {
        ...key,
        ...(state !== undefined && { state }),
        ...(scopes !== undefined && { scopes }),
        ...(expires_at !== undefined && { expires_at }),
      };
      const keys = before.keys.map((each) => (each === key ? after : each));
      const { put, entries } = changed(call, 'key.updated', before, { keys }, { target: key.key });
      return { put, entries, result: { status: 200, body: storedKey(after, uses) } };
    });
  },
};

const deleteKey: AdminEndpoint = {
  operationId: 'deleteKey',
  summary: 'Removes a key, unless it is the last one',
  method: 'DELETE',
  path: '/apps/{app_id}/keys/{key}',
  roles: WRITERS,
  status: 204,
  run(call) {
    storedAppOf(call);
    return call.change(() => {
      const before = storedAppOf(call);
      refuseOutdated(call, before);
      const key = keyOf(before, call.parameters['key']);
      if (before.keys.length === 1)
        throw new Problem(
          'last_key',
          'An app has at least one key: make another one first, or revoke this one',
        );
      const keys = before.keys.filter((each) => each !== key);
      const { put, entries } = changed(call, 'key.deleted', before, { keys }, { target: key.key });
      return { put, entries, result: { status: 204 } };
    });
  },
};

export const keyEndpoints: readonly AdminEndpoint[] = [listKeys, createKey, changeKey, deleteKey];

function keyOf(app: AppRecord, name: string | undefined): KeyRecord {
  const key = app.keys.find((each) => each.key === name);
  if (!key) throw new Problem('key_not_found', `The app "${app.id}" has no such key`);
  return key;
}
