import { randomBytes } from 'node:crypto';
import { bodyMd5, canonicalQuery, requestText, sign } from '@countersign/sdk-server/signature';
import { shellWord } from '../quote.ts';
import type { Session } from './sessions.ts';

/**
 * The curl command of a signed publish. It does not contain the secret; its signature is valid for ten minutes, and once if the
 * app requires a nonce.
 *
 * @param origin scheme, host and port of the broker
 * @param body the body of `POST events`
 * @param now Unix milliseconds
 */
export function curlLine(
  { app, key, secret }: Session,
  { origin, pathPrefix, body, now }: { origin: string; pathPrefix: string; body: string; now: number },
): string {
  const path = `${pathPrefix}/apps/${app.id}/events`;
  const query = canonicalQuery([
    ['auth_key', key],
    ...(app.requireNonce ? [['auth_nonce', randomBytes(16).toString('hex')] as const] : []),
    ['auth_timestamp', String(Math.floor(now / 1000))],
    ['auth_version', '1.0'],
    ['body_md5', bodyMd5(body)],
  ]);
  const signature = sign(secret, requestText('POST', path, query));
  const url = `${origin}${path}?${query}&auth_signature=${signature}`;
  return `curl -H 'Content-Type: application/json' -d ${shellWord(body)} ${shellWord(url)}`;
}
