import { createSecretKey, type KeyObject } from 'node:crypto';
import { ArgumentError } from './errors.ts';

const PREFIX = 'whsec_';
const LEAST_BYTES = 24;
const MOST_BYTES = 64;

/**
 * Returns the key of a secret of the Standard Webhooks specification: `whsec_` and 24 to 64 bytes in base64.
 *
 * @param name of the option, for the message, which never holds the secret
 * @throws ArgumentError `invalid_options`
 */
export function webhookSecretKey(secret: unknown, name: string): KeyObject {
  const base64 = typeof secret === 'string' && secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : '';
  const bytes = Buffer.from(base64, 'base64');
  // Buffer skips characters that are not base64; some generators leave the padding out.
  const isBase64 = bytes.toString('base64').replace(/=+$/, '') === base64.replace(/=+$/, '');
  if (isBase64 && bytes.length >= LEAST_BYTES && bytes.length <= MOST_BYTES) return createSecretKey(bytes);
  throw new ArgumentError(
    'invalid_options',
    `${name} must be "${PREFIX}" and ${LEAST_BYTES} to ${MOST_BYTES} bytes in base64`,
  );
}
