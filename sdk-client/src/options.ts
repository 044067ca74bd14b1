import type { ChannelAuthorization, UserAuthentication } from './auth/auth.ts';
import type { AuthOptions } from './auth/credentials.ts';
import type { TokenSource } from './auth/grants.ts';
import type { Delays, ReconnectOptions } from './connection/backoff.ts';
import { type Clock, systemClock } from './connection/clock.ts';
import type { Encryption } from './encryption/encryption.ts';
import { CountersignError } from './errors.ts';
import type { LogLevel } from './log.ts';
import { bundled, type Fetch, type WebSocketConstructor } from './platform.ts';

/**
 * Options of a client. Times are in ms, above 0 and at most 2^31 - 1. An option that is `undefined` has its default; an
 * unknown option throws `invalid_option`.
 *
 * @example
 * ```ts
 * const options: CountersignOptions = {
 *   host: 'channels.example.com',
 *   channelAuthorization: { endpoint: 'https://app.example.com/countersign/auth', credentials: 'include' },
 *   reconnect: { maxDelay: 10_000 },
 * };
 * const client = new Countersign('key-1', options);
 * ```
 */
export interface CountersignOptions {
  /** The broker's host name or address, without scheme and path. */
  readonly host: string;
  /** @default 443, or 80 without TLS */
  readonly port?: number | string | undefined;
  /** Path before `/app/` in the broker's URL, such as `/ws`. @default '' */
  readonly path?: string | undefined;
  /** `false` connects without TLS, except from an `https:` page. @default true */
  readonly forceTLS?: boolean | undefined;
  /** Whether the client connects when it is created; otherwise call `connect()`. @default true */
  readonly autoConnect?: boolean | undefined;
  /** How the client gets grants for private and presence channels. Its `endpoint` is `/countersign/auth` by default. */
  readonly channelAuthorization?: ChannelAuthorization | undefined;
  /** How the client gets the grant for `signin()`. Its `endpoint` is `/countersign/user-auth` by default. */
  readonly userAuthentication?: UserAuthentication | undefined;
  /**
   * Returns a JSON Web Token of an identity provider that the app trusts (its setting `tokens`). The client signs in by it on
   * each connection, asks for another one before it ends, and needs no endpoint for the channels that it names.
   */
  readonly token?: TokenSource | undefined;
  /** How the client renews credentials when an endpoint responds with 401. */
  readonly auth?: AuthOptions | undefined;
  /** The export of `@countersign/sdk-client/encrypted`, for channels named `private-encrypted-…`. */
  readonly encryption?: Encryption | undefined;
  /** Silence before the client pings the broker; the broker may require less. @default 20_000 */
  readonly activityTimeout?: number | undefined;
  /** Longest wait for any frame after a ping; then the connection counts as lost. @default 10_000 */
  readonly pongTimeout?: number | undefined;
  /** Longest wait until the broker has established the connection. @default 10_000 */
  readonly connectTimeout?: number | undefined;
  /** Time without a connection before the state becomes `unavailable`. @default 10_000 */
  readonly unavailableTimeout?: number | undefined;
  /** Longest attempt to subscribe or sign in: the app's endpoint and the broker's response together. @default 20_000 */
  readonly requestTimeout?: number | undefined;
  /** Delays between attempts to connect or to ask an endpoint. */
  readonly reconnect?: ReconnectOptions | undefined;
  /** What the SDK writes to the console. @default 'warn', or 'debug' if `debug` is true */
  readonly logLevel?: LogLevel | undefined;
  /** `true` tells every step and frame in the console, without signatures and tokens. @default false */
  readonly debug?: boolean | undefined;
  /** The WebSocket class. @default that of the platform; in Node 20 that of `ws` */
  readonly WebSocket?: WebSocketConstructor | undefined;
  /** Sends requests to the app's endpoints. @default that of the platform */
  readonly fetch?: Fetch | undefined;
  /** Source of time and random numbers, for tests. */
  readonly clock?: Clock | undefined;
}

/** Options with their defaults. */
export interface Settings {
  /** Address of the broker: `host[:port][path]`. */
  readonly address: string;
  readonly forceTLS: boolean;
  readonly autoConnect: boolean;
  readonly channelAuthorization: ChannelAuthorization;
  readonly userAuthentication: UserAuthentication;
  readonly token: TokenSource | undefined;
  readonly auth: AuthOptions;
  readonly encryption: Encryption | undefined;
  readonly activityTimeout: number;
  readonly pongTimeout: number;
  readonly connectTimeout: number;
  readonly unavailableTimeout: number;
  readonly requestTimeout: number;
  readonly reconnect: Delays;
  readonly logLevel: LogLevel;
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

const LOG_LEVELS: readonly LogLevel[] = ['silent', 'warn', 'debug'];

/** Options of other Channels clients, and what replaces them. */
const INSTEAD: Readonly<Record<string, string>> = {
  cluster: 'host',
  wsHost: 'host',
  wsPort: 'port',
  wssPort: 'port',
  wsPath: 'path',
  encrypted: 'forceTLS',
  authEndpoint: 'channelAuthorization.endpoint',
  'auth.headers': 'channelAuthorization.headers',
  'auth.params': 'channelAuthorization.params',
};

/** The longest delay that timers accept, in ms. */
const LONGEST = 2 ** 31 - 1;

/** Checks options and fills in defaults. @throws CountersignError `invalid_option` */
export function complete(options: CountersignOptions): Settings {
  const { host, port, path, debug, logLevel, ...settings } = merge(options, {
    host: '',
    port: undefined,
    path: '',
    forceTLS: true,
    autoConnect: true,
    channelAuthorization: { ...AUTHORIZATION, endpoint: '/countersign/auth', batch: true },
    userAuthentication: { ...AUTHORIZATION, endpoint: '/countersign/user-auth' },
    token: undefined,
    auth: { refresh: undefined },
    encryption: bundled.encryption,
    activityTimeout: 20_000,
    pongTimeout: 10_000,
    connectTimeout: 10_000,
    unavailableTimeout: 10_000,
    requestTimeout: 20_000,
    reconnect: { minDelay: 1_000, maxDelay: 30_000, stableAfter: 10_000 },
    logLevel: undefined,
    debug: false,
    WebSocket: undefined,
    // Looked up for each request, because a page may replace it; browsers refuse to call it as a method.
    fetch: (url, init) => globalThis.fetch(url, init),
    clock: systemClock,
  } as Omit<Settings, 'address' | 'logLevel'> & {
    host: string;
    port: number | string | undefined;
    path: string;
    debug: boolean;
    logLevel: LogLevel | undefined;
  });
  if (logLevel !== undefined && !LOG_LEVELS.includes(logLevel))
    throw invalid(`The option "logLevel" is one of ${LOG_LEVELS.join(', ')}`);
  return {
    ...settings,
    address: addressOf(host, port, path),
    logLevel: logLevel ?? (debug ? 'debug' : 'warn'),
  };
}

/** Builds the address. @throws CountersignError `invalid_option` for values that would make another URL */
function addressOf(host: string, port: number | string | undefined, path: string): string {
  if (!host) throw invalid('The option "host" is missing');
  // In a URL, an IPv6 address is in brackets.
  const name = /^[^[]*:.*:/.test(host) ? `[${host}]` : host;
  const address = port === undefined ? name : `${name}:${port}`;
  if (!/^(\[[\da-f:.]+]|[^\s:/?#@[\]\\]+)(:[1-9]\d{0,4})?$/i.test(address) || Number(port) > 65_535)
    throw invalid(`Not a "host" and "port": ${address}`);
  if (!/^(\/[^\s?#]*)?$/.test(path)) throw invalid('The option "path" starts with "/"');
  return address + path.replace(/\/+$/, '');
}

/** Merges options into the defaults, which name every known option. */
function merge<Options extends object>(given: object, defaults: Options, prefix = ''): Options {
  const merged: Record<string, unknown> = { ...(defaults as Record<string, unknown>) };
  for (const [name, value] of Object.entries(given)) {
    const full = prefix + name;
    const option = `option "${full}"`;
    if (!Object.hasOwn(defaults, name)) {
      const instead = Object.hasOwn(INSTEAD, full) ? `: use "${INSTEAD[full]}"` : '';
      throw invalid(`There is no ${option}${instead}`);
    }
    if (value === undefined) continue;
    const byDefault = merged[name];
    const kind = typeof byDefault;
    const isNumber = kind === 'number';
    if (byDefault !== undefined && (typeof value !== kind || (isNumber && !(value > 0 && value <= LONGEST))))
      throw invalid(`The ${option} is a ${kind}${isNumber ? ' above 0' : ''}`);
    // Other objects are taken as they are.
    const isGroup = kind === 'object' && name !== 'clock' && name !== 'encryption';
    merged[name] = isGroup ? merge(value, byDefault as object, `${name}.`) : value;
  }
  return merged as Options;
}

function invalid(message: string): CountersignError {
  return new CountersignError('invalid_option', message);
}
