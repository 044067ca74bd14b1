import { channelText, sign, userText } from '@countersign/sdk-server/signature';
import express from 'express';
import { Webhook } from 'standardwebhooks';
import { startBackend } from './backend.ts';
import { APP } from './server.ts';

/** What the broker asks about one right. */
export interface AskedRight {
  readonly socket_id: string;
  readonly channel?: string;
  readonly user_id: string | null;
  readonly grant_id: string | null;
  readonly expires_at: number;
  readonly channel_data?: string | null;
  readonly user_data?: string;
}

/** One request of the broker, which the official library has verified. */
export interface RenewalRequest {
  readonly type: string;
  readonly grants: readonly AskedRight[];
}

export const RENEWAL_SECRET = 'whsec_Yk0wZ3pGqVt4R1dhN2hLc2VQOXJCdTJuVG1YajVvSGM=';

/** The answer about one right that gives it another life. */
export function renewedFor(
  seconds: number,
  { socket_id, channel, user_id, channel_data }: AskedRight,
): object {
  const iat = Math.floor(Date.now() / 1000);
  const claims = { id: `g-${seconds}`, iat, exp: Math.ceil(Date.now() / 1000 + seconds) };
  if (channel === undefined) {
    const data = JSON.stringify({ id: user_id, countersign: claims });
    return {
      status: 200,
      auth: `${APP.key}:${sign(APP.secret, userText(socket_id, data))}`,
      user_data: data,
    };
  }
  const { countersign: _, ...member } = JSON.parse(channel_data ?? '{}');
  const data = JSON.stringify({ ...member, countersign: claims });
  const auth = `${APP.key}:${sign(APP.secret, channelText(socket_id, channel, data))}`;
  return { status: 200, auth, channel_data: data };
}

/** The answer about one right that refuses it. */
export const refused = (reason?: string) => ({ status: 403, reason });

/** The backend of a customer, written without our SDK: `answer` says what it answers about each right. */
export async function startRenewingBackend(
  answer: (right: AskedRight, request: RenewalRequest) => object | Promise<object>,
  { respond }: { respond?: (request: RenewalRequest, times: number) => number | object | undefined } = {},
) {
  const requests: RenewalRequest[] = [];
  const underWay = { now: 0, most: 0 };
  const url = await startBackend((app) => {
    app.post('/renew', express.raw({ type: () => true, limit: '4mb' }), async (req, res) => {
      underWay.now++;
      underWay.most = Math.max(underWay.most, underWay.now);
      // Throws if the broker did not sign it so.
      const verified = new Webhook(RENEWAL_SECRET).verify(req.body.toString(), {
        'webhook-id': req.get('webhook-id') ?? '',
        'webhook-timestamp': req.get('webhook-timestamp') ?? '',
        'webhook-signature': req.get('webhook-signature') ?? '',
      }) as RenewalRequest;
      requests.push(verified);
      const instead = respond?.(verified, requests.length);
      if (typeof instead === 'number') res.sendStatus(instead);
      else {
        const grants = await Promise.all(verified.grants.map((right) => answer(right, verified)));
        res.json(instead ?? { grants });
      }
      underWay.now--;
    });
  });
  return { url: `${url}/renew`, requests, underWay };
}

/** The settings of an app whose backend is asked. */
export function renewing(url: string, settings: object = {}): { readonly grants: object } {
  return { grants: { renewal: { url, leadSeconds: 60, secret: RENEWAL_SECRET, ...settings } } };
}
