/**
 * Signatures of the protocol: backends sign with this module, and the broker verifies with it.
 *
 * Five kinds of text are signed with one secret: for a channel, a user, a request, and the body of a webhook alone or with
 * its id and time. They are distinct only if socket ids and channel names pass {@link isSocketId} and
 * {@link isChannelName}, so check those before signing.
 */
/// <reference types="node" preserve="true" />
import { createHmac, hash, type KeyObject, timingSafeEqual } from 'node:crypto';

export { webhookSecretKey } from './webhooks/secret.ts';
export {
  signWebhook,
  verifyWebhook,
  type WebhookKeySet,
  type WebhookKeys,
  webhookText,
} from './webhooks/signature.ts';

/** UTF-16 code units that a channel name may have by default. */
export const CHANNEL_NAME_LENGTH = 200;

const SOCKET_ID = /^[0-9]+\.[0-9]+$/;
const CHANNEL_NAME = /^[A-Za-z0-9_\-=@,.;]+$/;
const SIGNATURE = /^[0-9a-f]{64}$/;
const USER_CHANNEL = '#server-to-user-';

/**
 * Whether a value is a socket id: digits, a dot, digits; at most 64 characters.
 * @example
 * ```ts
 * isSocketId('1234.5678'); // true
 * ```
 */
export function isSocketId(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 64 && SOCKET_ID.test(value);
}

/**
 * Whether a value is a channel name: 1 to `maxLength` of the characters `A-Z a-z 0-9 _ - = @ , . ;`.
 * @example
 * ```ts
 * isChannelName('private-room-7'); // true
 * ```
 */
export function isChannelName(value: unknown, maxLength: number = CHANNEL_NAME_LENGTH): value is string {
  return typeof value === 'string' && value.length <= maxLength && CHANNEL_NAME.test(value);
}

/**
 * Whether a value is the id of a signed-in user: 1 to 128 of the characters of channel names.
 * @example
 * ```ts
 * isUserId('ann@example.com'); // true
 * ```
 */
export function isUserId(value: unknown): value is string {
  return isChannelName(value, 128);
}

/**
 * Returns the channel of all connections of one signed-in user.
 * @example
 * ```ts
 * userChannel('ann'); // #server-to-user-ann
 * ```
 */
export function userChannel(userId: string): string {
  return USER_CHANNEL + userId;
}

/**
 * Returns the user of a `#server-to-user-` channel, or `undefined` for other names.
 * @example
 * ```ts
 * userOfChannel('#server-to-user-ann'); // ann
 * ```
 */
export function userOfChannel(name: string): string | undefined {
  if (!name.startsWith(USER_CHANNEL)) return undefined;
  const userId = name.slice(USER_CHANNEL.length);
  return isUserId(userId) ? userId : undefined;
}

/**
 * Returns the text to sign for one connection and channel. `channelData` must be the text that is sent.
 * @example
 * ```ts
 * sign('secret', channelText('1234.5678', 'private-room-7'));
 * ```
 */
export function channelText(socketId: string, channel: string, channelData?: string): string {
  return channelData ? `${socketId}:${channel}:${channelData}` : `${socketId}:${channel}`;
}

/**
 * Returns the text to sign for the sign-in of one connection. `userData` must be the text that is sent.
 * @example
 * ```ts
 * sign('secret', userText('1234.5678', '{"id":"ann"}'));
 * ```
 */
export function userText(socketId: string, userData: string): string {
  return `${socketId}::user::${userData}`;
}

/**
 * Returns the text to sign for an HTTP request.
 *
 * @param path the path of the URL, without scheme, host and query
 * @param query the {@link canonicalQuery} of all parameters except `auth_signature`
 * @example
 * ```ts
 * sign('secret', requestText('GET', '/apps/1001/channels', canonicalQuery([['auth_key', 'key-1']])));
 * ```
 */
export function requestText(method: string, path: string, query: string): string {
  return `${method}\n${path}\n${query}`;
}

/**
 * Returns parameters in their signed form: names in lower case, sorted by name; values not percent-encoded.
 * @example
 * ```ts
 * canonicalQuery([['auth_version', '1.0'], ['auth_key', 'key-1']]); // auth_key=key-1&auth_version=1.0
 * ```
 */
export function canonicalQuery(parameters: Iterable<readonly [name: string, value: string]>): string {
  const lowered: (readonly [name: string, value: string])[] = [];
  let isSorted = true;
  let last = '';
  for (const parameter of parameters) {
    const lower = parameter[0].toLowerCase();
    if (lower < last) isSorted = false;
    last = lower;
    lowered.push(lower === parameter[0] ? parameter : [lower, parameter[1]]);
  }
  // Most libraries send them sorted already.
  if (!isSorted) lowered.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  let query = '';
  for (const [name, value] of lowered) query += query === '' ? `${name}=${value}` : `&${name}=${value}`;
  return query;
}

/**
 * Returns the MD5 of a request body in lower-case hex, for `body_md5`. The HMAC over it protects the body.
 * @example
 * ```ts
 * bodyMd5('{}'); // 99914b932bd37a50b983c5e7c90ae93b
 * ```
 */
export function bodyMd5(body: string | Uint8Array): string {
  return hash('md5', body, 'hex');
}

/**
 * Returns the HMAC-SHA256 of a text, 64 lower-case hex digits.
 * @example
 * ```ts
 * const auth = `key-1:${sign('secret', channelText('1234.5678', 'private-room-7'))}`;
 * ```
 */
export function sign(secret: string | KeyObject, text: string | Uint8Array): string {
  return createHmac('sha256', secret).update(text).digest('hex');
}

/**
 * Whether `signature` is the {@link sign} of `text`, compared in constant time. It accepts 64 lower-case hex digits only.
 * @example
 * ```ts
 * verify('secret', 'text', sign('secret', 'text')); // true
 * ```
 */
export function verify(secret: string | KeyObject, text: string | Uint8Array, signature: unknown): boolean {
  if (typeof signature !== 'string' || !SIGNATURE.test(signature)) return false;
  // Comparing the hex texts is faster than decoding them.
  return timingSafeEqual(Buffer.from(sign(secret, text), 'latin1'), Buffer.from(signature, 'latin1'));
}

/** The content of `auth`: a key and a signature. */
export interface Proof {
  readonly key: string;
  readonly signature: string;
}

/**
 * Splits `KEY:SIGNATURE` at its last colon, because keys can contain colons; `undefined` for other values.
 * @example
 * ```ts
 * parseProof(`key-1:${sign('secret', 'text')}`)?.key; // key-1
 * ```
 */
export function parseProof(auth: unknown): Proof | undefined {
  if (typeof auth !== 'string') return undefined;
  const colon = auth.lastIndexOf(':');
  if (colon < 1) return undefined;
  const signature = auth.slice(colon + 1);
  return SIGNATURE.test(signature) ? { key: auth.slice(0, colon), signature } : undefined;
}
