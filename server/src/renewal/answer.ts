import type { RenewalProof } from '../access/renewer.ts';
import { asObject, parseObject } from '../protocol/messages.ts';

/** What a backend says about one right; `failed` if it says nothing that can be used. */
export type RenewalAnswer =
  | { readonly kind: 'granted'; readonly proof: RenewalProof }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'failed'; readonly problem: string };

/** Characters, as many as the reason of a revocation has. */
const REASON_LENGTH = 200;
const REFUSED = 'The backend refused to renew the grant';

/**
 * Reads the answer to a request about several rights.
 *
 * @returns one answer for each, in the order asked; the problem if it cannot be told which is about which
 */
export function readAnswer(body: string, asked: number): RenewalAnswer[] | string {
  const grants = parseObject(body)?.['grants'];
  if (!Array.isArray(grants)) return 'the answer is not JSON with a list of grants';
  if (grants.length !== asked) return `the answer is about ${grants.length} grants and not ${asked}`;
  return grants.map(readOne);
}

function readOne(value: unknown): RenewalAnswer {
  const { status, auth, channel_data: channelData, user_data: userData, reason } = asObject(value) ?? {};
  if (status === 403) {
    const isReason = typeof reason === 'string' && reason !== '';
    return { kind: 'refused', reason: isReason ? reason.slice(0, REASON_LENGTH) : REFUSED };
  }
  if (status !== 200)
    return failed(`the answer about a grant has status ${JSON.stringify(status) ?? 'none'}`.slice(0, 80));
  const data = channelData ?? userData ?? undefined;
  if (typeof auth !== 'string') return failed('the answer about a grant has no auth');
  if (data !== undefined && typeof data !== 'string') return failed('the signed data of a grant is not text');
  return { kind: 'granted', proof: { auth, data } };
}

function failed(problem: string): RenewalAnswer {
  return { kind: 'failed', problem };
}
