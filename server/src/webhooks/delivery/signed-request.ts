import type { KeyObject } from 'node:crypto';
import { sign, signWebhook, webhookText } from '@countersign/sdk-server/signature';
import type { App } from '../../apps/app.ts';
import type { Hook } from '../../apps/hook.ts';
import type { SigningKey } from '../../data/signing-key.ts';
import { VERSION } from '../../version.ts';
import type { Delivery } from '../outbox/outbox.ts';

/** One request as it is sent. */
export interface SignedRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Makes the request of one attempt, with its time and with signatures that all libraries can verify.
 *
 * @param signingKey the key of the broker
 * @param now Unix milliseconds
 */
export function signRequest(
  app: App,
  hook: Hook,
  signingKey: SigningKey | undefined,
  { id, events }: Delivery,
  now: number,
): SignedRequest {
  const body = `{"time_ms":${now},"events":[${events}]}`;
  const timestamp = String(Math.floor(now / 1000));
  const text = webhookText(id, timestamp, body);
  return {
    body,
    headers: {
      ...hook.headers,
      // Exactly this value: the official libraries compare all of it.
      'Content-Type': 'application/json',
      'User-Agent': `Countersign/${VERSION}`,
      ...(hook.hasPusherSignature && pusherHeaders(app, body)),
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': signersOf(app, hook, signingKey)
        .map((key) => signWebhook(key, text))
        .join(' '),
    },
  };
}

function pusherHeaders(app: App, body: string): SignedRequest['headers'] {
  const [signer] = app.signers;
  if (!signer) return {};
  const [key, secret] = signer;
  return { 'X-Pusher-Key': key, 'X-Pusher-Signature': sign(secret, body) };
}

/** The keys of the app, unless the webhook is signed by its own secrets or by the broker. */
function signersOf(app: App, hook: Hook, signingKey: SigningKey | undefined): readonly KeyObject[] {
  const { secrets, isSignedByBroker } = hook;
  if (!isSignedByBroker) return secrets.length > 0 ? secrets : app.signers.map(([, secret]) => secret);
  // The configuration refuses such a webhook without the key.
  if (!signingKey) throw new Error('a webhook has the signature "ed25519", and the broker has no key for it');
  return [...secrets, signingKey.privateKey];
}
