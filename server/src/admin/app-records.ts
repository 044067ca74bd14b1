/** Makes and checks the record of an app. */

import { appSchema } from '../apps/app.ts';
import { hookIdOf } from '../apps/hook.ts';
import { isGuessable, isGuessableWebhookSecret } from '../apps/keys/guessable.ts';
import { check } from './http/check.ts';
import type { AdminCall } from './http/endpoint.ts';
import { isObject } from './http/merge-patch.ts';
import { invalid, Problem } from './http/problem.ts';
import { newId, newKey, newSecret, newWebhookSecret } from './random.ts';
import type { AppRecord, HookRecord, KeyRecord } from './registry/records.ts';
import type { Registry } from './registry/registry.ts';

/** A secret that is shown once, in the answer to the request that made it. */
export type Made = ReadonlyMap<string, string>;

interface KeyInput {
  readonly key?: string;
  readonly secret?: string;
  readonly client?: boolean;
  readonly scopes?: readonly string[] | null;
  readonly expires_at?: number | null;
}

/**
 * @returns the record of a key; its secret is in `made` if it was made here
 * @throws Problem for a client key with a secret
 */
export function makeKey(input: KeyInput, now: number, made: Map<string, string>): KeyRecord {
  const { key = newKey(), client = false, scopes = null, expires_at = null } = input;
  const common = { key, state: 'active', scopes, expires_at, created_at: now } as const;
  if (client) {
    if (input.secret !== undefined) throw invalid('client', 'false where there is a secret', client);
    return common;
  }
  const { secret = newSecret() } = input;
  if (input.secret === undefined) made.set(key, secret);
  return { ...common, secret };
}

/** @returns the record of a webhook; its secret is in `made` if it was made here */
export function makeHook(
  input: Readonly<Record<string, unknown>>,
  now: number,
  made: Map<string, string>,
): HookRecord {
  const { id: given, secret: text, ...settings } = input;
  const url = String(settings['url']);
  const id = typeof given === 'string' ? given : hookIdOf({ url });
  const wantsNone = text === null || (text === undefined && settings['signature'] === 'ed25519');
  const secret = typeof text === 'string' ? text : newWebhookSecret();
  if (text === undefined && !wantsNone) made.set(id, secret);
  const secrets = wantsNone ? [] : [{ id: newId(), secret, created_at: now, ends_at: null }];
  return { id, settings, secrets, created_at: now };
}

/** @throws Problem for what the broker could not run with */
export function checkSettings(call: AdminCall, settings: Readonly<Record<string, unknown>>): void {
  const { limits } = check(appSchema, {
    ...settings,
    id: 'any',
    keys: [{ key: 'any', secret: 'any secret' }],
  });
  const { eventDataBytes } = call.bounds;
  if (limits.eventDataBytes > eventDataBytes) {
    const expected = `at most ${eventDataBytes}, the maxMessageBytes or maxBufferedBytes of the broker`;
    throw invalid('limits.eventDataBytes', expected, limits.eventDataBytes);
  }
}

/** @throws Problem for secrets that others may know */
export function refuseGuessable({ keys, webhooks }: Pick<AppRecord, 'keys' | 'webhooks'>): void {
  for (const [at, { secret }] of keys.entries()) {
    if (secret !== undefined && isGuessable(secret))
      throw invalid(`keys[${at}].secret`, 'a secret that nobody can guess');
  }
  for (const [at, { secrets }] of webhooks.entries()) {
    if (secrets.some(({ secret }) => isGuessableWebhookSecret(secret)))
      throw invalid(`webhooks[${at}].secret`, 'a secret that nobody can guess');
  }
}

/** @throws Problem for a key that is taken, here or in another app */
export function refuseTakenKeys(registry: Registry, app: AppRecord): void {
  const own = new Set<string>();
  for (const { key } of app.keys) {
    if (own.has(key) || registry.isTaken(key, app.id))
      throw new Problem('key_exists', `The key "${key}" is taken`);
    own.add(key);
  }
}

/** @throws Problem for an id that two webhooks have */
export function refuseDoubleHooks({ webhooks }: AppRecord): void {
  const ids = new Set<string>();
  for (const { id } of webhooks) {
    if (ids.has(id)) throw new Problem('webhook_exists', `The app has a webhook "${id}" already`);
    ids.add(id);
  }
}

/** A body that its schema has checked, as it came: without the defaults. */
export function asSent(body: unknown): Readonly<Record<string, unknown>> {
  return isObject(body) ? body : {};
}
