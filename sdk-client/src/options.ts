import type { ChannelAuthorization, UserAuthentication } from './auth.ts';
import type { ReconnectOptions } from './backoff.ts';
import { type Clock, systemClock } from './clock.ts';
import type { AuthOptions } from './credentials.ts';
import type { Encryption } from './encrypted-channel.ts';
import { CountersignError } from './errors.ts';
import { bundled, type Fetch, type WebSocketConstructor } from './platform.ts';

/** How a client finds its broker and its app. Times are in ms. */
export interface CountersignOptions {
  /** The broker's host name or address. */
  readonly host: string;
  /** @default 443, or 80 without TLS */
  readonly port?: number | string;
  /** What stands before `/app/` in the broker's URL, such as `/ws`. @default '' */
  readonly path?: string;
  /** `false` connects without TLS, except from a page that was loaded with it. @default true */
  readonly forceTLS?: boolean;
  /** How the app signs for private and presence channels. Its `endpoint` is `/countersign/auth` by default. */
  readonly channelAuthorization?: ChannelAuthorization;
  /** How the app signs for users. Its `endpoint` is `/countersign/user-auth` by default. */
  readonly userAuthentication?: UserAuthentication;
  /** What the app does when an endpoint of it no longer knows who is asking. */
  readonly auth?: AuthOptions;
  /** What `@countersign/sdk-client/encrypted` exports, for channels named `private-encrypted-…`. */
  readonly encryption?: Encryption;
  /** Silence after which the broker is pinged; the broker may ask for less. @default 20_000 */
  readonly activityTimeout?: number;
  /** Wait for a sign of life after a ping, before the connection counts as dead. @default 10_000 */
  readonly pongTimeout?: number;
  /** Wait for the broker's greeting, before the try counts as failed. @default 10_000 */
  readonly connectTimeout?: number;
  /** Time without a connection after which the state says `unavailable`. @default 10_000 */
  readonly unavailableTimeout?: number;
  /** Bound of one subscription or sign-in: the app's endpoint and the broker's answer together. @default 20_000 */
  readonly requestTimeout?: number;
  /** Delays between tries, to connect or to ask an endpoint. */
  readonly reconnect?: ReconnectOptions;
  /** @default that of the platform; in Node 20 that of `ws` */
  readonly WebSocket?: WebSocketConstructor;
  /** Asks the app's endpoints. @default that of the platform */
  readonly fetch?: Fetch;
  /** Time and chance, for tests. */
  readonly clock?: Clock;
}

/** The options, complete. */
export interface Settings
  extends Required<Omit<CountersignOptions, 'port' | 'encryption' | 'WebSocket' | 'reconnect'>> {
  readonly port: number | string | undefined;
  readonly reconnect: Required<ReconnectOptions>;
  readonly encryption: Encryption | undefined;
  readonly WebSocket: WebSocketConstructor | undefined;
}

const AUTHORIZATION = {
  headers: undefined,
  params: undefined,
  headersProvider: undefined,
  paramsProvider: undefined,
  credentials: undefined,
  customHandler: undefined,
} as const;

/** Options that have options of their own. */
const GROUPS = ['channelAuthorization', 'userAuthentication', 'auth', 'reconnect'];

/** The options with their defaults. @throws CountersignError `invalid_option` */
export function complete(options: CountersignOptions): Settings {
  const settings = merge<Settings>(options, {
    host: '',
    port: undefined,
    path: '',
    forceTLS: true,
    channelAuthorization: { ...AUTHORIZATION, endpoint: '/countersign/auth', batch: true },
    userAuthentication: { ...AUTHORIZATION, endpoint: '/countersign/user-auth' },
    auth: { refresh: undefined },
    encryption: bundled.encryption,
    activityTimeout: 20_000,
    pongTimeout: 10_000,
    connectTimeout: 10_000,
    unavailableTimeout: 10_000,
    requestTimeout: 20_000,
    reconnect: { minDelay: 1_000, maxDelay: 30_000, stableAfter: 10_000 },
    WebSocket: globalThis.WebSocket ?? bundled.WebSocket,
    // Not the function itself, which browsers refuse to call as a method of anything but the window.
    fetch: (url, init) => globalThis.fetch(url, init),
    clock: systemClock,
  });
  if (!settings.host) throw invalid('The option "host" is missing');
  if (settings.path && !settings.path.startsWith('/')) throw invalid('The option "path" starts with "/"');
  return settings;
}

/** What was given over the defaults, which name every option there is. */
function merge<Options extends object>(given: object, defaults: Options, prefix = ''): Options {
  const merged: Record<string, unknown> = { ...(defaults as Record<string, unknown>) };
  for (const [name, value] of Object.entries(given)) {
    const option = `option "${prefix}${name}"`;
    if (!Object.hasOwn(defaults, name)) throw invalid(`There is no ${option}`);
    if (value === undefined) continue;
    const byDefault = merged[name];
    if (typeof byDefault === 'number' && !(value > 0)) throw invalid(`The ${option} is a number above 0`);
    const isGroup = !prefix && GROUPS.includes(name);
    merged[name] = isGroup ? merge(value, byDefault as object, `${name}.`) : value;
  }
  return merged as Options;
}

function invalid(message: string): CountersignError {
  return new CountersignError('invalid_option', message);
}
