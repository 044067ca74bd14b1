import { ApiFailure, ask } from '../../data/api.ts';
import type {
  AppView,
  AuditEntry,
  Deletion,
  HookSecret,
  KeyView,
  LiveStats,
  Me,
  NewHook,
  NewKey,
  NewToken,
  NodeView,
  Page,
  StatsView,
  TokenView,
  UsagePeriod,
  UsageTotal,
  UsageView,
  WaysIn,
} from './wire.ts';

type Query = Readonly<Record<string, string>>;

/** Below the address of the page. */
const V1 = 'admin/v1';

const get = <Answer>(path: string, query: Query = {}) => ask<Answer>('GET', V1 + path + queryOf(query));
const post = <Answer>(path: string, body?: object) => ask<Answer>('POST', V1 + path, body, once());
const remove = <Answer>(path: string, query: Query = {}) => ask<Answer>('DELETE', V1 + path + queryOf(query));
const app = (id: string) => `/apps/${encodeURIComponent(id)}`;
const key = (id: string, name: string) => `${app(id)}/keys/${encodeURIComponent(name)}`;
const hook = (id: string, name: string) => `${app(id)}/webhooks/${encodeURIComponent(name)}`;

/** The requests of an administrator. Each may fail with an ApiFailure; 401 means that the session has ended. */
export const admin = {
  /** `null`: the broker has no admin token, so nobody can sign in with one. */
  session: () =>
    ask<Me>('GET', 'admin/session').catch((error: unknown) => {
      if (error instanceof ApiFailure && error.status === 404) return null;
      throw error;
    }),
  /** How one can sign in. */
  waysIn: () => ask<WaysIn>('GET', 'admin/ways'),
  signIn: (token: string) => ask<Me>('POST', 'admin/session', { token }),
  signOut: () => ask('DELETE', 'admin/session'),

  apps: (query: Query) => get<Page<'apps', AppView>>('/apps', query),
  app: (id: string) => get<AppView>(app(id)),
  makeApp: (settings: object) => post<AppView & { readonly keys: readonly NewKey[] }>('/apps', settings),
  /** @param etag of the app as the user saw it */
  changeApp: (id: string, patch: object, etag: string) =>
    ask<AppView>('PATCH', V1 + app(id), patch, { 'If-Match': `"${etag}"` }),
  whatDeletes: (id: string) => remove<Deletion>(app(id), { dry_run: 'true' }),
  deleteApp: (id: string) => remove(app(id)),
  /** @param ids with commas between them */
  liveStats: (ids: string) =>
    get<{ readonly apps: readonly LiveStats[] }>('/stats', { apps: ids }).then(({ apps }) => apps),
  stats: (id: string) => get<StatsView>(`${app(id)}/stats`),

  makeKey: (id: string, body: object) => post<NewKey>(`${app(id)}/keys`, body),
  changeKey: (id: string, name: string, patch: object) => ask<KeyView>('PATCH', V1 + key(id, name), patch),
  deleteKey: (id: string, name: string) => remove(key(id, name)),

  makeHook: (id: string, body: object) => post<NewHook>(`${app(id)}/webhooks`, body),
  changeHook: (id: string, name: string, patch: object) => ask('PATCH', V1 + hook(id, name), patch),
  deleteHook: (id: string, name: string) => remove(hook(id, name)),
  /** @param retire seconds after which the older secrets end */
  addSecret: (id: string, name: string, retire: number) =>
    post<HookSecret>(`${hook(id, name)}/secrets?retire=${retire}`),

  /** @param id `undefined`: all apps */
  usage: (id: string | undefined, query: Query) =>
    get<Page<'rows', UsageView>>(`${id === undefined ? '' : app(id)}/usage`, query),
  usageTotals: (query: Query) =>
    get<{ readonly periods: readonly UsagePeriod[]; readonly apps: readonly UsageTotal[] }>(
      '/usage/totals',
      query,
    ),

  nodes: () => get<Page<'nodes', NodeView>>('/nodes', { limit: '1000' }).then(({ nodes }) => nodes),
  drain: (node: string) => post(`/nodes/${encodeURIComponent(node)}/drain`),
  tokens: (query: Query) => get<Page<'tokens', TokenView>>('/tokens', query),
  makeToken: (body: object) => post<NewToken>('/tokens', body),
  deleteToken: (name: string) => remove(`/tokens/${encodeURIComponent(name)}`),
  audit: (query: Query) => get<Page<'events', AuditEntry>>('/audit', query),
};

/** The address of an export, for a link. */
export function exportOf(appId: string | undefined, query: Query): string {
  return `api/${V1}${appId === undefined ? '' : app(appId)}/usage${queryOf(query)}`;
}

function queryOf(query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== '');
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}

/** A request that is repeated on the way is made once. */
function once(): Query {
  return { 'Idempotency-Key': crypto.randomUUID() };
}
