import { createSecretKey, type KeyObject } from 'node:crypto';
import { assertKnown, assertOption } from './assert.ts';
import { isLoopback, originOf } from './broker/origin.ts';
import { isRecord } from './json.ts';
import { isPathAsSent } from './path.ts';
import { CHANNEL_NAME_LENGTH } from './signature.ts';

/** A key of an app, with its secret. */
export interface Token {
  /** The public name of the secret; every signature carries it. */
  readonly key: string;
  /** Only your servers and the broker may know it. */
  readonly secret: string;
}

/** Limits that are checked before anything is sent, with the names and defaults of the broker's configuration. */
export interface Limits {
  /** Bytes of UTF-8 of one event's data, after encryption. @default 10_240 */
  readonly eventDataBytes: number;
  /** Characters of an event name. @default 200 */
  readonly eventNameLength: number;
  /** Characters of a channel name. @default 200 */
  readonly channelNameLength: number;
  /** Channels of one `trigger`. @default 100 */
  readonly channelsPerPublish: number;
  /** Events of one `triggerBatch`. @default 10 */
  readonly batchSize: number;
  /** Bytes of UTF-8 of one presence member's data, or of one user's data without the watchlist. @default 1_024 */
  readonly presenceMemberBytes: number;
}

/**
 * Options of `Countersign`: the app, its key, and the address of the broker. An unknown option throws `invalid_options`.
 *
 * @example
 * ```ts
 * const options: CountersignOptions = {
 *   appId: '1001',
 *   key: 'key-1',
 *   secret: process.env['COUNTERSIGN_SECRET']!,
 *   host: 'channels.example.com',
 *   timeout: 5_000,
 * };
 * const countersign = new Countersign(options);
 * ```
 */
export interface CountersignOptions extends Token {
  /** The id of the app. */
  readonly appId: string | number;
  /** The broker's host name or address, without scheme, port or path. @default '127.0.0.1' */
  readonly host?: string | undefined;
  /** The broker's port. @default 443 with TLS, else 6001 */
  readonly port?: number | undefined;
  /**
   * Whether to use HTTPS. Without it, anyone on the network path can read events and replay requests for ten minutes.
   * @default true, unless `host` is the loopback
   */
  readonly useTLS?: boolean | undefined;
  /** Path before `/apps`, which a proxy in front of the broker strips, such as `/realtime`. @default '' */
  readonly path?: string | undefined;
  /** Longest duration of one call in ms, retries included. @default 10_000 */
  readonly timeout?: number | undefined;
  /** Number of retries, where a retry is safe; 0 to 10. @default 2 */
  readonly maxRetries?: number | undefined;
  /**
   * Whether events that are published in one turn of the event loop travel in one request. Each call keeps its own answer
   * and error, and events of one channel their order. @default true
   */
  readonly coalesce?: boolean | undefined;
  /**
   * How events travel: in a request each (`http`), or all over one WebSocket (`websocket`), which saves a signature and a
   * round trip for each. An event for several channels is always a request. @default 'http'
   */
  readonly publishOver?: 'http' | 'websocket' | undefined;
  /** Whether each request has a nonce, so that a copy of it is refused: needed where the app has `requireNonce`. @default false */
  readonly nonces?: boolean | undefined;
  /** Further keys whose webhooks are accepted, while keys are changed. They sign nothing. @default [] */
  readonly additionalKeys?: readonly Token[] | undefined;
  /** 32 random bytes in base64 (`openssl rand -base64 32`), required for `private-encrypted-` channels. The broker must not know them. */
  readonly encryptionMasterKeyBase64?: string | undefined;
  /**
   * Further master keys. They encrypt nothing, but clients receive their channel keys, so that they can decrypt events of
   * other servers while the master key is changed. @default []
   */
  readonly additionalEncryptionMasterKeysBase64?: readonly string[] | undefined;
  /** Limits of the app at the broker that differ from the defaults. */
  readonly limits?: { readonly [Name in keyof Limits]?: number | undefined } | undefined;
  /** Sends requests. @default the global `fetch`, looked up for each request */
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** Returns the time in ms since 1970, for signatures and the age of webhooks. @default Date.now */
  readonly now?: (() => number) | undefined;
}

/** Checked options, in the form that the package uses. */
export interface Settings {
  readonly key: string;
  readonly secret: KeyObject;
  /** Scheme, host and port. */
  readonly origin: string;
  /** Path before `/apps`; not signed, because a proxy may strip it. */
  readonly pathPrefix: string;
  /** The beginning of all signed paths: `/apps/ID`. */
  readonly appPath: string;
  readonly timeout: number;
  readonly maxRetries: number;
  readonly coalesce: boolean;
  readonly publishOver: 'http' | 'websocket';
  readonly nonces: boolean;
  /** All keys whose webhooks are accepted. */
  readonly tokens: readonly Token[];
  readonly masterKey: Uint8Array | undefined;
  readonly additionalMasterKeys: readonly Uint8Array[];
  readonly limits: Limits;
  readonly fetch: typeof globalThis.fetch;
  readonly now: () => number;
}

const DEFAULT_LIMITS: Limits = {
  eventDataBytes: 10_240,
  eventNameLength: 200,
  channelNameLength: CHANNEL_NAME_LENGTH,
  channelsPerPublish: 100,
  batchSize: 10,
  presenceMemberBytes: 1024,
};

const MASTER_KEY = 'encryptionMasterKeyBase64';
const ADDITIONAL_MASTER_KEYS = 'additionalEncryptionMasterKeysBase64';

const KNOWN: Readonly<Record<keyof CountersignOptions, true>> = {
  appId: true,
  key: true,
  secret: true,
  host: true,
  port: true,
  useTLS: true,
  path: true,
  timeout: true,
  maxRetries: true,
  coalesce: true,
  publishOver: true,
  nonces: true,
  additionalKeys: true,
  encryptionMasterKeyBase64: true,
  additionalEncryptionMasterKeysBase64: true,
  limits: true,
  fetch: true,
  now: true,
};

/**
 * Checks options and fills in the defaults.
 *
 * @throws ArgumentError `invalid_options`, naming the option, and never a secret's value
 */
export function settingsOf(options: CountersignOptions): Settings {
  assertOption(isRecord(options), 'Options must be an object');
  assertKnown(options, KNOWN, 'option');
  const {
    host = '127.0.0.1',
    useTLS = !isLoopback(host),
    port = useTLS ? 443 : 6001,
    path = '',
    timeout = 10_000,
    maxRetries = 2,
    coalesce = true,
    publishOver = 'http',
    nonces = false,
    additionalKeys = [],
    encryptionMasterKeyBase64: masterKey,
    additionalEncryptionMasterKeysBase64: additionalMasterKeys = [],
    fetch = (...request) => globalThis.fetch(...request),
    now = Date.now,
  } = options;
  requireToken(options, '');
  assertOption(typeof useTLS === 'boolean', 'useTLS must be true or false');
  requireInteger('port', port, 1, 65_535);
  requireInteger('timeout', timeout, 1, 2 ** 31 - 1);
  requireInteger('maxRetries', maxRetries, 0, 10);
  assertOption(typeof coalesce === 'boolean', 'coalesce must be true or false');
  assertOption(
    publishOver === 'http' || publishOver === 'websocket',
    'publishOver must be "http" or "websocket"',
  );
  assertOption(typeof nonces === 'boolean', 'nonces must be true or false');
  assertOption(Array.isArray(additionalKeys), 'additionalKeys must be an array of { key, secret }');
  additionalKeys.forEach((token, index) => {
    requireToken(token, `additionalKeys[${index}].`);
  });
  assertOption(Array.isArray(additionalMasterKeys), `${ADDITIONAL_MASTER_KEYS} must be an array`);
  assertOption(
    masterKey !== undefined || additionalMasterKeys.length === 0,
    `${ADDITIONAL_MASTER_KEYS} needs ${MASTER_KEY}`,
  );
  assertOption(typeof fetch === 'function', 'fetch must be a function');
  assertOption(typeof now === 'function', 'now must be a function that returns milliseconds');

  const origin = originOf(useTLS, host, port);
  return {
    key: options.key,
    secret: createSecretKey(options.secret, 'utf8'),
    origin,
    pathPrefix: prefixOf(origin, path),
    appPath: appPathOf(options.appId),
    timeout,
    maxRetries,
    coalesce,
    publishOver,
    nonces,
    tokens: [{ key: options.key, secret: options.secret }, ...additionalKeys],
    masterKey: masterKey === undefined ? undefined : masterKeyOf(masterKey, MASTER_KEY),
    additionalMasterKeys: additionalMasterKeys.map((key, index) =>
      masterKeyOf(key, `${ADDITIONAL_MASTER_KEYS}[${index}]`),
    ),
    limits: limitsOf(options.limits),
    fetch,
    now,
  };
}

function prefixOf(origin: string, prefix: unknown): string {
  const isPrefix = typeof prefix === 'string' && !prefix.endsWith('/') && isPathAsSent(origin, `${prefix}/`);
  assertOption(
    isPrefix,
    'path must be empty or start with a slash and not end with one, such as "/realtime"',
  );
  return prefix;
}

function appPathOf(appId: unknown): string {
  const isId = (typeof appId === 'string' && /^[\w-]+$/.test(appId)) || Number.isSafeInteger(appId);
  assertOption(isId, 'appId must consist of letters, digits, "_" and "-"');
  return `/apps/${appId}`;
}

function masterKeyOf(base64: unknown, name: string): Uint8Array {
  const bytes = typeof base64 === 'string' ? Buffer.from(base64, 'base64') : undefined;
  // Buffer skips characters that are not base64, so the text is base64 only if encoding returns the same text.
  const isKey = bytes?.length === 32 && bytes.toString('base64') === base64;
  assertOption(isKey, `${name} must be 32 bytes in base64 (44 characters)`);
  return bytes;
}

function limitsOf(limits: unknown): Limits {
  if (limits === undefined) return DEFAULT_LIMITS;
  assertOption(isRecord(limits), 'limits must be an object');
  assertKnown(limits, DEFAULT_LIMITS, 'limit');
  const given = Object.entries(limits).filter(([, limit]) => limit !== undefined);
  for (const [name, limit] of given) requireInteger(`limits.${name}`, limit, 1);
  return { ...DEFAULT_LIMITS, ...Object.fromEntries(given) };
}

function requireToken(token: unknown, where: string): void {
  assertOption(isRecord(token), `${where.slice(0, -1)} must be an object with key and secret`);
  for (const name of ['key', 'secret']) {
    assertOption(
      typeof token[name] === 'string' && token[name] !== '',
      `${where}${name} must be a non-empty string${token[name] === undefined ? ', and is undefined: is the variable of the environment set?' : ''}`,
    );
  }
}

function requireInteger(name: string, value: unknown, least: number, most = Number.MAX_SAFE_INTEGER): void {
  const isInRange = Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most;
  assertOption(isInRange, `${name} must be an integer from ${least} to ${most}, not ${String(value)}`);
}
