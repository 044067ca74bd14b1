/**
 * How a signature is made: the one place, used by customers to sign and by the broker to check.
 *
 * Five texts are signed with one secret: for a channel, a user, a request, and the body of a webhook alone or with its
 * id and time. They cannot be mistaken for each other as long as socket ids and channel names are what
 * {@link isSocketId} and {@link isChannelName} say, so check those before signing.
 */
import { createHmac, hash, type KeyObject, timingSafeEqual } from 'node:crypto';

/** UTF-16 code units that a channel name may have by default. */
export const CHANNEL_NAME_LENGTH = 200;

const SOCKET_ID = /^[0-9]+\.[0-9]+$/;
const CHANNEL_NAME = /^[A-Za-z0-9_\-=@,.;]+$/;
const SIGNATURE = /^[0-9a-f]{64}$/;
const WEBHOOK_VERSION = 'v1,';
const USER_CHANNEL = '#server-to-user-';

/** Whether this is a socket id: digits, a dot, digits, and nothing before or after. */
export function isSocketId(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 64 && SOCKET_ID.test(value);
}

/** Whether this is a channel name that clients may choose: `A-Z a-z 0-9 _ - = @ , . ;`, 1 to `maxLength` of them. */
export function isChannelName(value: unknown, maxLength: number = CHANNEL_NAME_LENGTH): value is string {
  return typeof value === 'string' && value.length <= maxLength && CHANNEL_NAME.test(value);
}

/** Whether this is the id of a signed-in user: the charset of channel names, 1 to 128 characters. */
export function isUserId(value: unknown): value is string {
  return isChannelName(value, 128);
}

/** The channel on which the server reaches all connections of one signed-in user. */
export function userChannel(userId: string): string {
  return USER_CHANNEL + userId;
}

/** The user that a `#server-to-user-` channel belongs to, or `undefined` if the name is not one. */
export function userOfChannel(name: string): string | undefined {
  if (!name.startsWith(USER_CHANNEL)) return undefined;
  const userId = name.slice(USER_CHANNEL.length);
  return isUserId(userId) ? userId : undefined;
}

/** The text that grants one connection one channel. `channelData` is signed byte for byte as it is sent. */
export function channelText(socketId: string, channel: string, channelData?: string): string {
  return channelData ? `${socketId}:${channel}:${channelData}` : `${socketId}:${channel}`;
}

/** The text that signs one connection in as a user. `userData` is signed byte for byte as it is sent. */
export function userText(socketId: string, userData: string): string {
  return `${socketId}::user::${userData}`;
}

/**
 * The text of a signed HTTP request.
 *
 * @param path as it stands in the URL: no scheme, host or query
 * @param query what {@link canonicalQuery} made of all parameters but `auth_signature`
 */
export function requestText(method: string, path: string, query: string): string {
  return `${method}\n${path}\n${query}`;
}

/** Parameters as they are signed: names in lower case, sorted by name, values as they are (not percent-encoded). */
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

/** MD5 of a raw request body in lower-case hex, as `body_md5` carries it. It names the body; the HMAC protects it. */
export function bodyMd5(body: string | Uint8Array): string {
  return hash('md5', body, 'hex');
}

/** HMAC-SHA256 in 64 lower-case hex digits. */
export function sign(secret: string | KeyObject, text: string | Uint8Array): string {
  return createHmac('sha256', secret).update(text).digest('hex');
}

/** Whether `signature` is what {@link sign} makes of `text`, compared in constant time. Anything but 64 lower-case hex digits is not. */
export function verify(secret: string | KeyObject, text: string | Uint8Array, signature: unknown): boolean {
  if (typeof signature !== 'string' || !SIGNATURE.test(signature)) return false;
  // Texts of 64 digits each: to compare them as they are is quicker than to decode one.
  return timingSafeEqual(Buffer.from(sign(secret, text), 'latin1'), Buffer.from(signature, 'latin1'));
}

/**
 * The text of a webhook by the Standard Webhooks specification, which is signed beside the body alone.
 *
 * @param id the same for all attempts of one delivery; without a dot
 * @param timestamp seconds since 1970, as the header has them
 * @param body byte for byte as it is sent
 */
export function webhookText(id: string, timestamp: string | number, body: string | Uint8Array): Uint8Array {
  return Buffer.concat([
    Buffer.from(`${id}.${timestamp}.`),
    typeof body === 'string' ? Buffer.from(body) : body,
  ]);
}

/** One entry of the header `webhook-signature`: `v1,` and the HMAC-SHA256 of {@link webhookText} in base64. */
export function signWebhook(secret: string | KeyObject, text: Uint8Array): string {
  return `${WEBHOOK_VERSION}${createHmac('sha256', secret).update(text).digest('base64')}`;
}

/** Whether any entry of the header `webhook-signature` is what {@link signWebhook} makes of `text`, compared in constant time. */
export function verifyWebhook(secret: string | KeyObject, text: Uint8Array, header: unknown): boolean {
  if (typeof header !== 'string') return false;
  const expected = Buffer.from(signWebhook(secret, text));
  return header.split(' ').some((entry) => {
    const given = Buffer.from(entry);
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}

/** What `auth` carries: the public key that signed, and its signature. */
export interface Proof {
  readonly key: string;
  readonly signature: string;
}

/** Splits `KEY:SIGNATURE` at its last colon, so that a colon in a key does no harm; `undefined` if it is not of that form. */
export function parseProof(auth: unknown): Proof | undefined {
  if (typeof auth !== 'string') return undefined;
  const colon = auth.lastIndexOf(':');
  if (colon < 1) return undefined;
  const signature = auth.slice(colon + 1);
  return SIGNATURE.test(signature) ? { key: auth.slice(0, colon), signature } : undefined;
}
