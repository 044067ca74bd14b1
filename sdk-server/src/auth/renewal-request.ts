/** The broker's request to renew grants: who sent it, and what it asks for. */
import type { KeyObject } from 'node:crypto';
import type { Request } from 'express';
import { WebhookError } from '../errors.ts';
import { isRecord } from '../json.ts';
import { verifyWebhook, webhookText } from '../signature.ts';
import { bodyOf } from '../webhooks/request.ts';
import { Refusal } from './answer.ts';

/** One grant or sign-in that is about to end; fields are not checked. A sign-in has no channel. */
export interface EndingGrant {
  readonly socketId: unknown;
  readonly userId: unknown;
  readonly channel: unknown;
}

const TYPE = 'grants.renew';
const MAX_GRANTS = 200;
const TOLERANCE_MS = 300_000;
const TIMESTAMP = /^\d{1,12}$/;

/**
 * Reads and verifies a request of the broker.
 *
 * @param now ms since 1970
 * @throws Refusal 401 unless the broker signed it within five minutes, 400 or 413 if it is malformed, 500 if a body parser
 *   has consumed the bytes that are signed
 */
export async function readRenewalRequest(
  req: Request,
  keys: readonly KeyObject[],
  now: number,
): Promise<readonly EndingGrant[]> {
  const body = await bytesOf(req);
  const id = req.get('webhook-id');
  const timestamp = req.get('webhook-timestamp');
  const isSigned =
    id !== undefined &&
    timestamp !== undefined &&
    TIMESTAMP.test(timestamp) &&
    keys.some((key) => verifyWebhook(key, webhookText(id, timestamp, body), req.get('webhook-signature')));
  if (!isSigned)
    throw new Refusal(401, 'bad_signature', 'Only the broker may ask: the signature is not valid');
  if (Math.abs(now - Number(timestamp) * 1000) > TOLERANCE_MS) {
    throw new Refusal(401, 'stale', 'This was signed more than five minutes ago');
  }
  return grantsOf(body);
}

async function bytesOf(req: Request): Promise<string | Uint8Array> {
  try {
    return await bodyOf(req).read();
  } catch (error) {
    if (!(error instanceof WebhookError)) throw error;
    switch (error.code) {
      case 'too_large':
        throw new Refusal(413, error.code, error.message);
      case 'body_was_parsed':
        throw new Refusal(
          500,
          error.code,
          'A body parser has consumed the body: mount authRouter ahead of it',
        );
      default:
        throw new Refusal(400, 'malformed', error.message);
    }
  }
}

function grantsOf(body: string | Uint8Array): readonly EndingGrant[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(body).toString());
  } catch {
    throw malformed('The body is not JSON');
  }
  const { type, grants } = isRecord(parsed) ? parsed : {};
  if (type !== TYPE) throw malformed(`The type must be "${TYPE}"`);
  if (
    !Array.isArray(grants) ||
    grants.length === 0 ||
    grants.length > MAX_GRANTS ||
    !grants.every(isRecord)
  ) {
    throw malformed(`grants must be a list of 1 to ${MAX_GRANTS} objects`);
  }
  return grants.map(({ socket_id, user_id, channel }) => ({ socketId: socket_id, userId: user_id, channel }));
}

function malformed(message: string): Refusal {
  return new Refusal(400, 'malformed', message);
}
