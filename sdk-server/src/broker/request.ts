import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { transferableAbortController } from 'node:util';
import { failureText, refusalText } from '../auth/request-advice.ts';
import { ArgumentError, NetworkError, RequestError, TimeoutError } from '../errors.ts';
import type { Settings } from '../options.ts';
import { isPathAsSent } from '../path.ts';
import { bodyMd5, canonicalQuery, requestText, sign } from '../signature.ts';
import { VERSION } from '../version.ts';
import { parseRetryAfter, retryDelay } from './retry.ts';

/** One request to the broker's HTTP API. */
export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** The part after `/apps/ID`, percent-encoded. */
  readonly path: string;
  /** Query parameters, not encoded; undefined ones are omitted. */
  readonly params?: Readonly<Record<string, string | number | boolean | undefined>> | undefined;
  /** Whether it can be sent again although it may have had its effect. @default whether it reads */
  readonly isRepeatable?: boolean;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Headers that are not signed. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The time by `performance.now()` until which the call may take. @default the option `timeout` from now */
  readonly deadline?: number;
}

/** What the broker answered. */
export interface Answer {
  readonly json: unknown;
  readonly headers: Headers;
}

/** How the SDK names itself to the broker. */
export const LIBRARY = { 'x-pusher-library': `countersign-sdk-server ${VERSION}` };
const RESERVED = /^(auth_|body_md5$)/i;
// Parameters are signed unescaped, so a name or value with a separator could forge another parameter; half a surrogate pair cannot be encoded.
const FORBIDDEN_IN_NAME = /[=&\r\n\0]|\p{Surrogate}/u;
const FORBIDDEN_IN_VALUE = /[&\r\n\0]|\p{Surrogate}/u;
const BODY_IN_MESSAGE = 500;
const NONCE_BYTES = 16;

/**
 * Signs and sends one request, with retries if they are safe and the timeout allows them, and resolves with the JSON of the
 * response.
 *
 * @throws ArgumentError `invalid_request` for a path or parameter that cannot be signed
 * @throws RequestError, NetworkError, TimeoutError
 */
export async function request(settings: Settings, call: Call): Promise<unknown> {
  const { json } = await exchange(settings, call);
  return json;
}

/** Like {@link request}, and resolves with the headers of the response, too. */
export async function exchange(settings: Settings, call: Call): Promise<Answer> {
  const body = call.body === undefined ? undefined : JSON.stringify(call.body);
  checkPath(settings.origin, call.path);
  checkParams(call.params);

  // Test environments such as jsdom have their own AbortController, whose signals the platform's fetch refuses.
  const { deadline = performance.now() + settings.timeout, isRepeatable = call.method === 'GET' } = call;
  for (let attempt = 0; ; attempt++) {
    const left = Math.max(0, deadline - performance.now());
    const isLast = attempt >= settings.maxRetries;
    const controller = transferableAbortController();
    // The answer to a publish may be lost while the connection stays open, so time is left for another attempt.
    const timer = setTimeout(() => controller.abort(), call.isRepeatable && !isLast ? left / 2 : left);
    try {
      return await send(settings, call, body, controller.signal);
    } catch (error) {
      if (isLast || !(error instanceof RequestError)) throw error;
      const delay = retryDelay(isRepeatable, error, attempt);
      if (delay === undefined || performance.now() + delay >= deadline) throw error;
      await sleep(delay);
    } finally {
      clearTimeout(timer);
    }
  }
}

async function send(
  settings: Settings,
  { method, params, path, headers }: Call,
  body: string | undefined,
  signal: AbortSignal,
): Promise<Answer> {
  const { origin, fetch } = settings;
  const { url, signature, what } = signedUrl(settings, { method, params, path }, body);
  let response: Response;
  let text: string;
  try {
    response = await fetch(url + signature, {
      method,
      headers: {
        ...LIBRARY,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body ?? null,
      // A redirect would send the signed request to another host.
      redirect: 'manual',
      signal,
    });
    text = await response.text();
  } catch (cause) {
    if (signal.aborted) {
      throw new TimeoutError(`${what} was not answered within ${settings.timeout} ms`, { url }, { cause });
    }
    const message = `${what} could not be sent or was not answered${failureText(origin, cause)}`;
    throw new NetworkError(message, { url }, { cause });
  }
  const { status } = response;
  if (!response.ok) {
    const retryAfter = parseRetryAfter(response.headers.get('retry-after'), Date.now());
    throw refused(settings, what, { url, status, body: text }, retryAfter);
  }
  try {
    return { json: JSON.parse(text), headers: response.headers };
  } catch (cause) {
    const message = `${what} was answered with something that is not JSON: ${shortened(text)}`;
    throw new RequestError('invalid_answer', message, { url, status, body: text }, { cause });
  }
}

/** Where a request goes, with a signature of its own, so that it is not too old for the broker. */
export interface SignedUrl {
  /** Without the signature, safe to log. */
  readonly url: string;
  /** What is appended to it. */
  readonly signature: string;
  /** The request for messages. */
  readonly what: string;
}

/** Signs a request, with a nonce where one is wanted. */
export function signedUrl(
  settings: Settings,
  { method, params, path }: Pick<Call, 'method' | 'params' | 'path'>,
  body?: string,
): SignedUrl {
  const { origin, pathPrefix, appPath } = settings;
  const query = signedQuery(settings, params, body);
  const signature = sign(settings.secret, requestText(method, appPath + path, canonicalQuery(query)));
  return {
    url: `${origin}${pathPrefix}${appPath}${path}?${encodeQuery(query)}`,
    signature: `&auth_signature=${signature}`,
    what: `${method} ${pathPrefix}${appPath}${path}`,
  };
}

/** The error of a request that the broker, or a proxy, refused. */
export function refused(
  { now }: Settings,
  what: string,
  { url, status, body }: { readonly url: string; readonly status: number; readonly body: string },
  retryAfter: number | undefined,
): RequestError {
  const errorCode = errorCodeOf(body);
  const why = shortened(refusalText(body, now));
  return new RequestError('request_refused', `${what} was answered with ${status}: ${why}`, {
    url,
    status,
    body,
    ...(errorCode !== undefined && { errorCode }),
    ...(retryAfter !== undefined && { retryAfter }),
  });
}

/** The text code in the broker's answer; a proxy may have answered instead. */
function errorCodeOf(body: string): string | undefined {
  try {
    const { code }: { code?: unknown } = JSON.parse(body);
    return typeof code === 'string' ? code : undefined;
  } catch {
    return undefined;
  }
}

function signedQuery(
  settings: Settings,
  params: Call['params'] = {},
  body: string | undefined,
): [name: string, value: string][] {
  return [
    ...definedOf(params).map(([name, value]): [string, string] => [name, String(value)]),
    ['auth_key', settings.key],
    ...(settings.nonces
      ? [['auth_nonce', randomBytes(NONCE_BYTES).toString('base64url')] as [string, string]]
      : []),
    ['auth_timestamp', String(Math.floor(settings.now() / 1000))],
    ['auth_version', '1.0'],
    ...(body === undefined ? [] : [['body_md5', bodyMd5(body)] as [string, string]]),
  ];
}

function definedOf(params: NonNullable<Call['params']>): [name: string, value: unknown][] {
  return Object.entries(params).filter(([, value]) => value !== undefined);
}

function encodeQuery(query: readonly (readonly [name: string, value: string])[]): string {
  return query.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&');
}

function checkPath(origin: string, path: string): void {
  if (isPathAsSent(origin, path)) return;
  const hint = 'encode its parts with encodeURIComponent; "." and ".." cannot be one';
  throw new ArgumentError('invalid_request', `${JSON.stringify(path)} is not a valid path: ${hint}`);
}

function checkParams(params: Call['params'] = {}): void {
  for (const [name, value] of definedOf(params)) {
    const isAllowed =
      !RESERVED.test(name) && !FORBIDDEN_IN_NAME.test(name) && !FORBIDDEN_IN_VALUE.test(String(value));
    if (isAllowed) continue;
    throw new ArgumentError(
      'invalid_request',
      `Parameter ${JSON.stringify(name)} or its value cannot be sent`,
    );
  }
}

function shortened(text: string): string {
  return text.length > BODY_IN_MESSAGE ? `${text.slice(0, BODY_IN_MESSAGE)}…` : text;
}
