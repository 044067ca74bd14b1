import { createSecretKey, type KeyObject } from 'node:crypto';
import { ArgumentError } from '../errors.ts';

const PREFIX = 'whsec_';
const LEAST_BYTES = 24;
const MOST_BYTES = 64;

/**
 * Returns the key of a secret of the Standard Webhooks specification (`whsec_` and 24 to 64 bytes in base64), or
 * `undefined` for other values.
 * @example
 * ```ts
 * webhookSecretKey('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')?.symmetricKeySize; // 24
 * ```
 */
export function webhookSecretKey(secret: unknown): KeyObject | undefined {
  if (typeof secret !== 'string' || !secret.startsWith(PREFIX)) return undefined;
  const base64 = secret.slice(PREFIX.length);
  const bytes = Buffer.from(base64, 'base64');
  // Buffer skips characters that are not base64; some generators leave the padding out.
  const isBase64 = bytes.toString('base64').replace(/=+$/, '') === base64.replace(/=+$/, '');
  return isBase64 && bytes.length >= LEAST_BYTES && bytes.length <= MOST_BYTES
    ? createSecretKey(bytes)
    : undefined;
}

/**
 * Returns the key of a secret that an option holds.
 *
 * @param name of the option, for the message, which never holds the secret
 * @throws ArgumentError `invalid_options`
 */
export function requireWebhookSecret(secret: unknown, name: string): KeyObject {
  const key = webhookSecretKey(secret);
  if (key) return key;
  throw new ArgumentError(
    'invalid_options',
    `${name} must be "${PREFIX}" and ${LEAST_BYTES} to ${MOST_BYTES} bytes in base64`,
  );
}
