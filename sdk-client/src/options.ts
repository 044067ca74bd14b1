import type { ChannelAuthorization, UserAuthentication } from './auth.ts';
import type { Delays, ReconnectOptions } from './backoff.ts';
import { type Clock, systemClock } from './clock.ts';
import type { AuthOptions } from './credentials.ts';
import type { Encryption } from './encryption.ts';
import { CountersignError } from './errors.ts';
import { bundled, type Fetch, type WebSocketConstructor } from './platform.ts';

/** How a client finds its broker and its app. Times are in ms. An option that is `undefined` has its default. */
export interface CountersignOptions {
  /** The broker's host name or address, without scheme and path. */
  readonly host: string;
  /** @default 443, or 80 without TLS */
  readonly port?: number | string | undefined;
  /** What stands before `/app/` in the broker's URL, such as `/ws`. @default '' */
  readonly path?: string | undefined;
  /** `false` connects without TLS, except from a page that was loaded with it. @default true */
  readonly forceTLS?: boolean | undefined;
  /** `false` waits for `connect()`. @default true */
  readonly autoConnect?: boolean | undefined;
  /** How the app signs for private and presence channels. Its `endpoint` is `/countersign/auth` by default. */
  readonly channelAuthorization?: ChannelAuthorization | undefined;
  /** How the app signs for users. Its `endpoint` is `/countersign/user-auth` by default. */
  readonly userAuthentication?: UserAuthentication | undefined;
  /** What the app does when an endpoint of it no longer knows who is asking. */
  readonly auth?: AuthOptions | undefined;
  /** What `@countersign/sdk-client/encrypted` exports, for channels named `private-encrypted-…`. */
  readonly encryption?: Encryption | undefined;
  /** Silence after which the broker is pinged; the broker may ask for less. @default 20_000 */
  readonly activityTimeout?: number | undefined;
  /** Wait for a sign of life after a ping, before the connection counts as dead. @default 10_000 */
  readonly pongTimeout?: number | undefined;
  /** Wait for the broker's greeting, before the try counts as failed. @default 10_000 */
  readonly connectTimeout?: number | undefined;
  /** Time without a connection after which the state says `unavailable`. @default 10_000 */
  readonly unavailableTimeout?: number | undefined;
  /** Bound of one try at a subscription or sign-in: the app's endpoint and the broker's answer together. @default 20_000 */
  readonly requestTimeout?: number | undefined;
  /** Delays between tries, to connect or to ask an endpoint. */
  readonly reconnect?: ReconnectOptions | undefined;
  /** @default that of the platform; in Node 20 that of `ws` */
  readonly WebSocket?: WebSocketConstructor | undefined;
  /** Asks the app's endpoints. @default that of the platform */
  readonly fetch?: Fetch | undefined;
  /** Time and chance, for tests. */
  readonly clock?: Clock | undefined;
}

/** The options, complete. */
export interface Settings {
  /** Where the broker is: `host[:port][path]`. */
  readonly address: string;
  readonly forceTLS: boolean;
  readonly autoConnect: boolean;
  readonly channelAuthorization: ChannelAuthorization;
  readonly userAuthentication: UserAuthentication;
  readonly auth: AuthOptions;
  readonly encryption: Encryption | undefined;
  readonly activityTimeout: number;
  readonly pongTimeout: number;
  readonly connectTimeout: number;
  readonly unavailableTimeout: number;
  readonly requestTimeout: number;
  readonly reconnect: Delays;
  readonly WebSocket: WebSocketConstructor | undefined;
  readonly fetch: Fetch;
  readonly clock: Clock;
}

const AUTHORIZATION = {
  headers: undefined,
  params: undefined,
  headersProvider: undefined,
  paramsProvider: undefined,
  credentials: undefined,
  customHandler: undefined,
} as const;

/** The longest time that timers take, in ms. */
const LONGEST = 2 ** 31 - 1;

/** The options with their defaults. @throws CountersignError `invalid_option` */
export function complete(options: CountersignOptions): Settings {
  const { host, port, path, ...settings } = merge(options, {
    host: '',
    port: undefined,
    path: '',
    forceTLS: true,
    autoConnect: true,
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
    WebSocket: undefined,
    // Not the function itself, which may be replaced, and which browsers refuse to call as a method.
    fetch: (url, init) => globalThis.fetch(url, init),
    clock: systemClock,
  } as Omit<Settings, 'address'> & { host: string; port: number | string | undefined; path: string });
  return { ...settings, address: addressOf(host, port, path) };
}

/** Refuses what would become another URL than the app means. */
function addressOf(host: string, port: number | string | undefined, path: string): string {
  if (!host) throw invalid('The option "host" is missing');
  // An IPv6 address stands in brackets in a URL.
  const name = /^[^[]*:.*:/.test(host) ? `[${host}]` : host;
  const address = port === undefined ? name : `${name}:${port}`;
  if (!/^(\[[\da-f:.]+]|[^\s:/?#@[\]\\]+)(:[1-9]\d{0,4})?$/i.test(address) || Number(port) > 65_535)
    throw invalid(`Not a "host" and "port": ${address}`);
  if (!/^(\/[^\s?#]*)?$/.test(path)) throw invalid('The option "path" starts with "/"');
  return address + path.replace(/\/+$/, '');
}

/** What was given over the defaults, which name every option there is. */
function merge<Options extends object>(given: object, defaults: Options, prefix = ''): Options {
  const merged: Record<string, unknown> = { ...(defaults as Record<string, unknown>) };
  for (const [name, value] of Object.entries(given)) {
    const option = `option "${prefix}${name}"`;
    if (!Object.hasOwn(defaults, name)) throw invalid(`There is no ${option}`);
    if (value === undefined) continue;
    const byDefault = merged[name];
    const kind = typeof byDefault;
    const isNumber = kind === 'number';
    if (byDefault !== undefined && (typeof value !== kind || (isNumber && !(value > 0 && value <= LONGEST))))
      throw invalid(`The ${option} is a ${kind}${isNumber ? ' above 0' : ''}`);
    // Whatever else is an object is taken whole.
    const isGroup = kind === 'object' && name !== 'clock' && name !== 'encryption';
    merged[name] = isGroup ? merge(value, byDefault as object, `${name}.`) : value;
  }
  return merged as Options;
}

function invalid(message: string): CountersignError {
  return new CountersignError('invalid_option', message);
}
