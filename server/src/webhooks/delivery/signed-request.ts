import { sign, signWebhook, webhookText } from '@countersign/sdk-server/signature';
import type { App } from '../../apps/app.ts';
import type { Hook } from '../../apps/hook.ts';
import { VERSION } from '../../version.ts';
import type { Delivery } from '../outbox/outbox.ts';

/** One request as it is sent. */
export interface SignedRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Puts a delivery into a request that all libraries can verify. Time and signatures are those of this attempt.
 *
 * @param now Unix milliseconds
 */
export function signRequest(app: App, hook: Hook, { id, events }: Delivery, now: number): SignedRequest {
  const body = `{"time_ms":${now},"events":[${events}]}`;
  const timestamp = String(Math.floor(now / 1000));
  const text = webhookText(id, timestamp, body);
  const [key, secret] = app.secrets[0]!;
  return {
    body,
    headers: {
      ...hook.headers,
      // To the letter: the official libraries compare the whole value.
      'Content-Type': 'application/json',
      'User-Agent': `Countersign/${VERSION}`,
      'X-Pusher-Key': key,
      'X-Pusher-Signature': sign(secret, body),
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': app.secrets.map(([, each]) => signWebhook(each, text)).join(' '),
    },
  };
}
