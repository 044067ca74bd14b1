import { quoted } from '../checks.ts';
import { WebhookError } from '../errors.ts';
import type { Token } from '../options.ts';
import { verify } from '../signature.ts';
import { headerOf, type WebhookHeaders } from './request.ts';

/** Checks the headers of the Channels protocol, which are signed with a key of the app; `undefined` if they are right. */
export function pusherProblem(
  tokens: readonly Token[],
  headers: WebhookHeaders,
  body: string | Uint8Array,
): WebhookError | undefined {
  const key = headerOf(headers, 'x-pusher-key');
  if (key === undefined) return unknownKey(`X-Pusher-Key is missing: ${reasonOfNoKey(headers)}`);
  const named = tokens.filter((token) => token.key === key);
  if (named.length === 0) {
    const known = tokens.map((token) => quoted(token.key)).join(', ');
    return unknownKey(`X-Pusher-Key is ${quoted(key)}, and the keys here are ${known}`);
  }
  const signature = headerOf(headers, 'x-pusher-signature');
  if (named.some(({ secret }) => verify(secret, body, signature))) return undefined;
  return badSignature(
    `X-Pusher-Signature is not the signature of this body: compare the secret of the key ${quoted(key)} with the broker's, and pass on the body byte for byte`,
  );
}

export function badSignature(message: string): WebhookError {
  return new WebhookError('bad_signature', message);
}

function unknownKey(message: string): WebhookError {
  return new WebhookError('unknown_key', message);
}

function reasonOfNoKey(headers: WebhookHeaders): string {
  return headerOf(headers, 'webhook-signature') === undefined
    ? 'this does not come from a broker, or a proxy removed the header'
    : 'verify with the secret of this webhook, or jwks';
}
