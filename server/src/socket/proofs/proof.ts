/** What the proofs of channels and of sign-ins have in common. */
import { type Proof, verify } from '@countersign/sdk-server/signature';
import type { App } from '../../apps/app.ts';
import type { AppKey } from '../../apps/keys/app-key.ts';
import type { ErrorCode } from '../../error-codes.ts';
import type { Refusal, SubscriptionRefusal } from '../../errors.ts';
import { memberText, NestedTooDeeply } from '../../protocol/json-text.ts';

/** What is wrong with a proof. */
export interface Fault {
  readonly code: ErrorCode;
  readonly fault: string;
}

/** The key that signed a text, or the fault of the proof. */
export function signerOf(app: App, text: string, proof: Proof | undefined): AppKey | Fault {
  if (!proof) return MALFORMED;
  const key = app.keyOf(proof.key);
  if (!key)
    return {
      code: 'unknown_key',
      fault: `Invalid key in auth: this app has no key '${proof.key.slice(0, 128)}'`,
    };
  if (key.isRevoked) return { code: 'key_revoked', fault: `The key '${key.name}' is revoked` };
  if (!key.secret)
    return { code: 'client_key', fault: `The key '${key.name}' has no secret: it cannot sign` };
  return verify(key.secret, text, proof.signature) ? key : WRONG_SIGNATURE;
}

const MALFORMED: Fault = {
  code: 'invalid_auth',
  fault: 'Invalid auth: expected KEY:SIGNATURE with 64 lower-case hex digits',
};
const WRONG_SIGNATURE: Fault = { code: 'invalid_signature', fault: 'Invalid signature' };

export function expected(text: string): string {
  return `expected the HMAC SHA256 hex digest of ${JSON.stringify(text)}`;
}

/**
 * The JSON text of `user_info`.
 *
 * @param info the parsed value of `user_info`
 * @throws the error that `refuse` creates for an invalid value
 */
export function readInfo(
  info: unknown,
  data: string,
  refuse: (why: string) => Refusal | SubscriptionRefusal,
): string | undefined {
  if (info === undefined || info === null) return undefined;
  if (typeof info !== 'object' || Array.isArray(info)) throw refuse('user_info must be an object');
  try {
    return memberText(data, 'user_info');
  } catch (error) {
    throw error instanceof NestedTooDeeply ? refuse('user_info is nested too deeply') : error;
  }
}

/**
 * The text of a refusal for the client: with the explanation only if the app says so.
 *
 * @param mistake of the backend, if it was found
 */
export function explain(
  { message, explanation }: { readonly message: string; readonly explanation?: string | undefined },
  { explainRefusals }: App,
  mistake?: string,
): string {
  if (!explainRefusals || !explanation) return message;
  return mistake ? `${message}: ${explanation}. ${mistake}` : `${message}: ${explanation}`;
}
