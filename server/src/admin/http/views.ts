/** How the admin API shows apps, keys, webhooks and tokens: without secrets. */
import { createHash } from 'node:crypto';
import { type AppConfig, appSchema } from '../../apps/app.ts';
import { withoutSharedSecrets } from '../../apps/hidden-secrets.ts';
import { hookIdOf, secretsOf, type WebhookConfig } from '../../apps/hook.ts';
import type { KeyConfig, KeyState } from '../../apps/keys/app-key.ts';
import { type AppRecord, appInput, type HookRecord, isAhead, type KeyRecord } from '../registry/records.ts';
import type { AdminToken, Tokens } from '../tokens.ts';
import { isObject } from './merge-patch.ts';

const MASK = '***';

export interface KeyView {
  readonly key: string;
  readonly state: KeyState;
  /** Has no secret; left out: it has one. */
  readonly client?: true;
  /** Left out: everything. */
  readonly scopes?: readonly string[];
  readonly expires_at: number | null;
  readonly created_at: number | null;
  readonly last_used_at: number | null;
}

export interface AppView {
  readonly grants: AppConfig['grants'];
  readonly id: string;
  readonly name: string;
  readonly keys: readonly KeyView[];
  readonly webhooks: readonly HookView[];
  readonly managed_by: 'file' | 'api';
  readonly created_at: number | null;
  readonly updated_at: number | null;
  readonly etag: string;
}

export interface HookView {
  readonly id: string;
  readonly secrets: readonly {
    readonly id: string;
    readonly created_at: number | null;
    readonly ends_at: number | null;
  }[];
  readonly created_at: number | null;
}

/** When each key was used last, in Unix seconds. */
export type KeyUses = Readonly<Record<string, number>>;

export function fileApp(config: AppConfig, uses: KeyUses): AppView {
  const { id, keys, webhooks, ...settings } = config;
  return {
    ...withoutSharedSecrets(settings, MASK),
    id,
    name: config.name ?? id,
    keys: keys.map((key) => fileKey(key, uses)),
    webhooks: webhooks.map(fileHook),
    managed_by: 'file',
    created_at: null,
    updated_at: null,
    etag: etagOf(config),
  };
}

/** @param now Unix seconds */
export function storedApp(record: AppRecord, uses: KeyUses, now: number): AppView {
  const { id } = record;
  const {
    keys: _keys,
    webhooks: _webhooks,
    ...settings
  } = appSchema.parse(appInput({ ...record, webhooks: [] }, 0));
  return {
    ...withoutSharedSecrets(settings, MASK),
    id,
    name: settings.name ?? id,
    keys: record.keys.map((key) => storedKey(key, uses)),
    webhooks: record.webhooks.map((hook) => storedHook(hook, now)),
    managed_by: 'api',
    created_at: record.created_at,
    updated_at: record.updated_at,
    etag: etagOf(record),
  };
}

export function storedKey(record: KeyRecord, uses: KeyUses): KeyView {
  const { key, state, expires_at, created_at } = record;
  return { key, state, ...purposeOf(record), expires_at, created_at, last_used_at: uses[key] ?? null };
}

function fileKey(config: KeyConfig, uses: KeyUses): KeyView {
  const { key, state, expiresAt, createdAt } = config;
  return {
    key,
    state,
    ...purposeOf(config),
    expires_at: secondsOf(expiresAt),
    created_at: secondsOf(createdAt),
    last_used_at: uses[key] ?? null,
  };
}

function purposeOf({ secret, scopes }: KeyConfig | KeyRecord): Pick<KeyView, 'client' | 'scopes'> {
  return { ...(secret === undefined && { client: true }), ...(scopes && { scopes }) };
}

function secondsOf(moment: string | undefined): number | null {
  return moment === undefined ? null : Math.floor(Date.parse(moment) / 1000);
}

/** @param now Unix seconds; secrets that have ended are not shown */
export function storedHook({ id, settings, secrets, created_at }: HookRecord, now: number): HookView {
  const { id: _id, secret: _secret, secrets: _secrets, ...shown } = hookDefaults(settings);
  return {
    id,
    ...shown,
    headers: masked(shown.headers),
    secrets: secrets
      .filter(({ ends_at }) => isAhead(ends_at, now))
      .map((secret) => ({ id: secret.id, created_at: secret.created_at, ends_at: secret.ends_at })),
    created_at,
  } as HookView;
}

export function fileHook(config: WebhookConfig): HookView {
  const { id: _id, secret: _secret, secrets: _secrets, ...shown } = config;
  return {
    id: hookIdOf(config),
    ...shown,
    headers: masked(shown.headers),
    secrets: secretsOf(config).map((_text, index) => ({
      id: String(index + 1),
      created_at: null,
      ends_at: null,
    })),
    created_at: null,
  } as HookView;
}

export function tokenView({ name, role, apps, managedBy, expiresAt, createdAt }: AdminToken, tokens: Tokens) {
  return {
    name,
    role,
    ...(apps && { apps }),
    managed_by: managedBy,
    expires_at: expiresAt,
    created_at: createdAt,
    last_used_at: tokens.lastUsed(name),
  };
}

/** Changes with all that can be set, and with nothing else; the same on all nodes. */
export function etagOf(kept: AppRecord | AppConfig): string {
  return createHash('sha256').update(JSON.stringify(kept, sorted)).digest('hex').slice(0, 16);
}

/** An object with its fields in order. */
function sorted(_name: string, value: unknown): unknown {
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function hookDefaults(settings: Readonly<Record<string, unknown>>): WebhookConfig {
  const [hook] = appSchema.unwrap().shape.webhooks.parse([settings]);
  if (!hook) throw new Error('A list of one has no first');
  return hook;
}

function masked(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.keys(headers).map((name) => [name, MASK]));
}
