import { randomUUID } from 'node:crypto';
import { signWebhook, webhookText } from '@countersign/sdk-server/signature';
import type { RenewalSettings } from '../apps/renewal-settings.ts';
import { VERSION } from '../version.ts';

/** Rights that one request may be about. */
export const MAX_RIGHTS = 200;
/** Bytes that one request may have, unless a single right has more: receivers read a mebibyte. */
export const MAX_BYTES = 786_432;

/**
 * Headers and body of one request.
 *
 * @param rights JSON of each
 * @param now Unix milliseconds
 */
export function renewalRequest({ secret }: RenewalSettings, rights: readonly string[], now: number) {
  const body = `{"type":"grants.renew","grants":[${rights}]}`;
  const id = randomUUID();
  const timestamp = String(Math.floor(now / 1000));
  return {
    body,
    headers: {
      'Content-Type': 'application/json',
      'User-Agent': `Countersign/${VERSION}`,
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': signWebhook(secret, webhookText(id, timestamp, body)),
    },
  };
}
