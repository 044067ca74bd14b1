/** Signatures of webhooks by the Standard Webhooks specification: `v1` with a secret, `v1a` with an Ed25519 key. */
import { createHmac, createPublicKey, type KeyObject, sign, timingSafeEqual, verify } from 'node:crypto';
import { ArgumentError } from '../errors.ts';
import { requireWebhookSecret } from './secret.ts';

/** The fields of a public key as JSON (RFC 7517) that are read. */
export interface Jwk {
  readonly kid?: string | undefined;
  readonly kty?: string | undefined;
  readonly crv?: string | undefined;
  readonly x?: string | undefined;
}

/** A JSON Web Key Set, as `GET /apps/APP_ID/webhooks/keys` answers it. Keys other than Ed25519 are ignored. */
export interface WebhookKeySet {
  readonly keys: readonly Jwk[];
}

/**
 * What a receiver verifies webhooks with if it must not know the app's secret: the `secret` of the webhook, or several
 * while it is changed; or the broker's public keys.
 *
 * @example
 * ```ts
 * const keys: WebhookKeys = { secret: process.env['WEBHOOK_SECRET']! };
 * ```
 */
export type WebhookKeys =
  | { readonly secret: string | readonly string[]; readonly jwks?: undefined }
  | { readonly jwks: WebhookKeySet; readonly secret?: undefined };

/** Whether any entry of the header `webhook-signature` signs a text. */
export type WebhookVerifier = (text: Uint8Array, header: unknown) => boolean;

const SYMMETRIC = 'v1,';
const ASYMMETRIC = 'v1a,';
const ED25519_SIGNATURE_LENGTH = 88;

/**
 * Returns the text to sign for a webhook by the Standard Webhooks specification.
 *
 * @param id the header `webhook-id`, the same for all attempts of one delivery; without a dot
 * @param timestamp the header `webhook-timestamp`, seconds since 1970
 * @param body the body as it is sent
 * @example
 * ```ts
 * signWebhook('secret', webhookText('msg_1', 1_800_000_000, '{}'));
 * ```
 */
export function webhookText(id: string, timestamp: string | number, body: string | Uint8Array): Uint8Array {
  return Buffer.concat([
    Buffer.from(`${id}.${timestamp}.`),
    typeof body === 'string' ? Buffer.from(body) : body,
  ]);
}

/**
 * Returns one entry of the header `webhook-signature`: `v1,` and the HMAC-SHA256 of {@link webhookText} in base64, or with
 * an Ed25519 private key `v1a,` and its signature in base64.
 *
 * @param key the secret of an app as it is, or a key
 * @example
 * ```ts
 * signWebhook('secret', webhookText('msg_1', 1_800_000_000, '{}'));
 * ```
 */
export function signWebhook(key: string | KeyObject, text: Uint8Array): string {
  if (typeof key !== 'string' && key.type === 'private') {
    return ASYMMETRIC + sign(null, text, key).toString('base64');
  }
  return SYMMETRIC + createHmac('sha256', key).update(text).digest('base64');
}

/**
 * Whether any entry of the header `webhook-signature` is a {@link signWebhook} of `text`; with a secret, compared in
 * constant time.
 *
 * @param key the secret of an app as it is, or the `secret` or `jwks` of a webhook
 * @throws ArgumentError `invalid_options` for a secret or key set of another form
 * @example
 * ```ts
 * const text = webhookText('msg_1', 1_800_000_000, '{}');
 * verifyWebhook('secret', text, signWebhook('secret', text)); // true
 * verifyWebhook({ secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' }, text, 'v1,AAAA'); // false
 * ```
 */
export function verifyWebhook(
  key: string | KeyObject | WebhookKeys,
  text: Uint8Array,
  header: unknown,
): boolean {
  const isSecret = typeof key === 'string' || 'type' in key;
  return (isSecret ? withSecrets([key]) : webhookVerifier(key))(text, header);
}

/** @throws ArgumentError `invalid_options` for a secret or key set of another form, never with the value */
export function webhookVerifier({
  secret,
  jwks,
}: {
  readonly [Name in keyof WebhookKeys]?: WebhookKeys[Name] | undefined;
}): WebhookVerifier {
  if ((secret === undefined) === (jwks === undefined)) throw invalid('give secret or jwks, and not both');
  if (jwks) return withPublicKeys(keysOf(jwks));
  const secrets = [secret].flat().map((each) => requireWebhookSecret(each, 'secret'));
  if (secrets.length === 0) throw invalid('secret must not be an empty list');
  return withSecrets(secrets);
}

function withSecrets(secrets: readonly (string | KeyObject)[]): WebhookVerifier {
  return (text, header) => {
    if (typeof header !== 'string') return false;
    const entries = header.split(' ').map((entry) => Buffer.from(entry));
    return secrets.some((secret) => {
      const expected = Buffer.from(signWebhook(secret, text));
      return entries.some((given) => given.length === expected.length && timingSafeEqual(given, expected));
    });
  };
}

function withPublicKeys(keys: readonly KeyObject[]): WebhookVerifier {
  return (text, header) => {
    if (typeof header !== 'string') return false;
    return header.split(' ').some((entry) => {
      const base64 = entry.slice(ASYMMETRIC.length);
      if (!entry.startsWith(ASYMMETRIC) || base64.length !== ED25519_SIGNATURE_LENGTH) return false;
      const signature = Buffer.from(base64, 'base64');
      return (
        signature.toString('base64') === base64 && keys.some((key) => verify(null, text, key, signature))
      );
    });
  };
}

function keysOf(jwks: WebhookKeySet): readonly KeyObject[] {
  if (!Array.isArray(jwks?.keys))
    throw invalid('jwks must be a JSON Web Key Set: an object with a list "keys"');
  const keys: readonly Jwk[] = jwks.keys;
  return keys
    .filter((key) => key?.kty === 'OKP' && key.crv === 'Ed25519')
    .map(({ x }) => {
      try {
        return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: String(x) }, format: 'jwk' });
      } catch (cause) {
        throw invalid('jwks holds an Ed25519 key whose x is no public key', { cause });
      }
    });
}

function invalid(message: string, options?: ErrorOptions): ArgumentError {
  return new ArgumentError('invalid_options', message, options);
}
