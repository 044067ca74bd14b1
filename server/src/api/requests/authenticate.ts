import { bodyMd5, canonicalQuery, requestText, verify } from '@countersign/sdk-server/signature';
import type { App, AppStore } from '../../apps/app.ts';
import type { AppKey } from '../../apps/keys/app-key.ts';
import { ApiError } from '../../errors.ts';
import { type Parameter, Query, readQuery } from '../../http/query.ts';

/** Seconds that the clock of a caller may differ from ours; from this difference on a request is refused. */
const TIMESTAMP_WINDOW = 600;
/** Characters of a path that are never encoded. */
const ALIKE_IN_ALL_FORMS = /^[\w\-.~/]*$/;
const PROOF = new Set([
  'auth_key',
  'auth_timestamp',
  'auth_version',
  'auth_nonce',
  'body_md5',
  'auth_signature',
]);
/** Characters in a nonce; code points that are text. */
const NONCE = /^[^:\p{C}]{8,64}$/u;
/** The query of a request with a body as most libraries write it: sorted, with nothing to decode and no parameter but the proof. */
const USUAL_QUERY =
  /^auth_key=([\w\-=@,.;]+)(?:&auth_nonce=([\w-]{8,64}))?&auth_timestamp=(\d{1,12})&auth_version=1\.0&body_md5=([0-9a-f]{32})&auth_signature=([0-9a-f]{64})$/;
/** The end of such a query, which is not signed. */
const UNSIGNED_LENGTH = '&auth_signature='.length + 64;
const NO_PARAMETERS = new Query([]);

/** A request as it came, and the app that its path names. */
export interface SignedRequest {
  readonly method: string;
  readonly path: string;
  readonly rawQuery: string;
  readonly appId: string;
}

/** What requests are checked against. */
export interface Authority {
  readonly apps: AppStore;
  /** The path that the broker is mounted at; callers may sign with or without it. */
  readonly pathPrefix: string;
  /** Unix milliseconds. */
  now(): number;
}

/** The caller, and the query as it was signed. */
export interface Authenticated {
  readonly app: App;
  /** The key that it was signed with. */
  readonly key: AppKey;
  /** The parameters, without those of the proof. */
  readonly query: Query;
  /** The body that the request has, by its MD5: for {@link checkBody}. */
  readonly bodyMd5: string | undefined;
  /** What the request has so that it is accepted once. */
  readonly nonce: string | undefined;
  /** From this moment on its timestamp is too old, in Unix milliseconds. */
  readonly staleAt: number;
}

/**
 * Checks who sent a request, and that path and query are as they were sent (docs/http-api.md, "Signing").
 *
 * @throws ApiError 401 or 404 if it is not proven, 400 if the query cannot be read
 */
export function authenticate(request: SignedRequest, authority: Authority): Authenticated {
  return authenticateUsual(request, authority) ?? authenticateAny(request, authority);
}

/**
 * Reads the usual query in one step, because reading it parameter by parameter costs more than the signature.
 *
 * @returns what {@link authenticateAny} returns; `undefined` if that must decide
 */
export function authenticateUsual(
  { method, path, rawQuery, appId }: SignedRequest,
  { apps, now }: Authority,
): Authenticated | undefined {
  const usual = USUAL_QUERY.exec(rawQuery);
  if (!usual || path.includes('%')) return undefined;
  const [, keyName = '', nonce, timestamp = '', md5, signature] = usual;
  const app = apps.byId(appId);
  const key = app?.keyOf(keyName);
  if (!app || !key?.secret || key.isRevoked || !isTimely(timestamp, now())) return undefined;
  if (app.requireNonce && nonce === undefined) return undefined;
  const text = requestText(method, path, rawQuery.slice(0, -UNSIGNED_LENGTH));
  if (!verify(key.secret, text, signature)) return undefined;
  return { app, key, query: NO_PARAMETERS, bodyMd5: md5, nonce, staleAt: staleAt(timestamp) };
}

/**
 * Reads a query in every way in which libraries write it.
 *
 * @throws ApiError as {@link authenticate} does
 */
export function authenticateAny(request: SignedRequest, { apps, pathPrefix, now }: Authority): Authenticated {
  const readings = readQuery(request.rawQuery);
  const [query] = readings;
  const proof = readProof(query);

  const app = apps.byId(request.appId);
  if (!app) throw new ApiError(404, 'app_not_found', `No app has the id "${request.appId.slice(0, 64)}"`);
  const key = app.keyOf(proof.key);
  if (!key)
    throw new ApiError(
      401,
      'unknown_key',
      `Unknown auth_key: "${proof.key.slice(0, 64)}" is no key of this app`,
    );
  if (key.isRevoked) throw new ApiError(401, 'key_revoked', `The key "${key.name}" is revoked`);
  const { secret } = key;
  if (!secret) throw new ApiError(401, 'client_key', `The key "${key.name}" has no secret: it cannot sign`);
  checkTimestamp(proof.timestamp, now());

  for (const path of signedPaths(request.path, pathPrefix)) {
    for (const reading of readings) {
      if (!verify(secret, textOf(request.method, path, reading), proof.signature)) continue;
      const parameters = reading.parameters.filter(([name]) => !PROOF.has(name));
      if (request.method === 'POST') refuseParameters(parameters);
      const nonce = readNonce(app, reading);
      refuseColons(reading);
      return {
        app,
        key,
        query: new Query(parameters),
        bodyMd5: proof.bodyMd5,
        nonce,
        staleAt: staleAt(proof.timestamp),
      };
    }
  }
  const text = textOf(request.method, request.path, query);
  throw new ApiError(
    401,
    'invalid_signature',
    `Invalid signature: auth_signature must be HmacSHA256Hex(${JSON.stringify(text)}, your_secret_key)`,
  );
}

interface Proof {
  readonly key: string;
  readonly timestamp: string;
  readonly bodyMd5: string | undefined;
  readonly signature: string;
}

function readProof(query: Query): Proof {
  const key = query.get('auth_key');
  const timestamp = query.get('auth_timestamp');
  const version = query.get('auth_version');
  const md5 = query.get('body_md5');
  const signature = query.get('auth_signature');
  if (key === undefined) throw missing('auth_key');
  if (timestamp === undefined) throw missing('auth_timestamp');
  if (version === undefined) throw missing('auth_version');
  if (signature === undefined) throw missing('auth_signature');
  if (version !== '1.0')
    throw new ApiError(401, 'unsupported_auth_version', 'Version not supported: auth_version must be 1.0');
  return { key, timestamp, bodyMd5: md5, signature };
}

/** @throws ApiError 400 for none of a nonce, 401 without one if the app requires it */
function readNonce({ requireNonce }: App, query: Query): string | undefined {
  const nonce = query.get('auth_nonce');
  if (nonce === undefined) {
    if (!requireNonce) return undefined;
    throw new ApiError(
      401,
      'nonce_required',
      'Missing parameter: auth_nonce. The app requires it: 8 to 64 characters that no other request has',
    );
  }
  if (NONCE.test(nonce)) return nonce;
  throw new ApiError(
    400,
    'nonce_invalid',
    'Invalid auth_nonce: it must be 8 to 64 characters without a colon',
  );
}

function missing(parameter: string): ApiError {
  return new ApiError(
    401,
    'missing_auth_parameter',
    `Missing parameter: ${parameter}. Every request needs it in its query`,
  );
}

function checkTimestamp(timestamp: string, now: number): void {
  if (!/^\d{1,12}$/.test(timestamp)) {
    throw new ApiError(
      401,
      'invalid_timestamp',
      'Invalid auth_timestamp: it must be Unix seconds in decimal digits',
    );
  }
  if (isTimely(timestamp, now)) return;
  throw new ApiError(
    401,
    'timestamp_expired',
    `Timestamp expired: Given timestamp (${timestamp}) not within ${TIMESTAMP_WINDOW}s of server time (${unixSeconds(now)})`,
  );
}

function isTimely(timestamp: string, now: number): boolean {
  return Math.abs(unixSeconds(now) - Number(timestamp)) < TIMESTAMP_WINDOW;
}

function staleAt(timestamp: string): number {
  return (Number(timestamp) + TIMESTAMP_WINDOW) * 1000;
}

function unixSeconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}

/** Returns the caller if the body is the one that their signed query names, otherwise the refusal. */
export function checkBody(caller: Authenticated, body: Buffer): Authenticated | ApiError {
  const { bodyMd5: md5 } = caller;
  if (md5 === undefined && body.length === 0) return caller;
  if (md5 === undefined) {
    return new ApiError(
      401,
      'missing_auth_parameter',
      'Missing parameter: body_md5. A request with a body needs it in its query',
    );
  }
  if (md5 === bodyMd5(body)) return caller;
  return new ApiError(
    401,
    'invalid_body_md5',
    'Invalid body_md5: it must be the MD5 of the exact bytes of the body in lower-case hex',
  );
}

/**
 * What may have been signed for the path that arrived: as it is, decoded or encoded, for libraries and proxies do either;
 * and each with and without the prefix. Nobody can use this to sign for another path, since all of these lead to the
 * same one when they are decoded, and that is the one that is served.
 */
function signedPaths(path: string, prefix: string): readonly string[] {
  const bare = path.startsWith(prefix) ? path.slice(prefix.length) : path;
  const forms = ALIKE_IN_ALL_FORMS.test(bare) ? [bare] : formsOf(bare);
  return prefix === '' ? forms : forms.concat(forms.map((form) => prefix + form));
}

function formsOf(path: string): readonly string[] {
  const decoded = decodePath(path);
  return [...new Set([path, decoded, decoded.split('/').map(encodeURIComponent).join('/')])];
}

function decodePath(path: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    throw new ApiError(400, 'invalid_path', 'The path is not properly percent-encoded UTF-8');
  }
  // Lines separate what is signed, so a path that holds one could pose as path and query.
  if (/[\r\n\0]/.test(decoded))
    throw new ApiError(400, 'invalid_path', 'The path holds an encoded line break');
  // With these a path could be decoded twice, or to another number of parts, and no name has one.
  if (/%(2f|25)/i.test(path))
    throw new ApiError(400, 'invalid_path', 'The path holds an encoded slash or percent sign');
  return decoded;
}

function textOf(method: string, path: string, { parameters }: Query): string {
  return requestText(method, path, canonicalQuery(parameters.filter(([name]) => name !== 'auth_signature')));
}

/** A text that an endpoint was tricked into signing for a channel has a colon, which no request needs. */
function refuseColons({ parameters }: Query): void {
  const found = parameters.find(([name, value]) => name !== 'auth_key' && (name + value).includes(':'));
  if (found)
    throw new ApiError(400, 'invalid_query', `The query parameter "${found[0].slice(0, 64)}" holds a colon`);
}

/** A text that a backend was tricked into signing can only pose as one more parameter. */
function refuseParameters([other]: readonly Parameter[]): void {
  if (other) {
    throw new ApiError(
      400,
      'unknown_parameter',
      `Unknown query parameter "${other[0].slice(0, 64)}": a POST has its parameters in its body`,
    );
  }
}
