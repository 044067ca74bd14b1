import { isUserId, parseProof, userText } from '@countersign/sdk-server/signature';
import { CLAIMS, ClaimRefusal, type Claims, readClaims, type Signed } from '../../access/claims.ts';
import type { Token } from '../../access/token.ts';
import type { App } from '../../apps/app.ts';
import type { AppKey } from '../../apps/keys/app-key.ts';
import { scopeMissing } from '../../apps/keys/key-scope.ts';
import type { ErrorCode } from '../../error-codes.ts';
import { codes, Refusal, type RefusedPart } from '../../errors.ts';
import { type JsonObject, parseObject } from '../../protocol/messages.ts';
import { expected, readInfo, signerOf } from './proof.ts';

/** The user that a connection has signed in as. */
export interface User {
  readonly id: string;
  /** JSON of an object, as the backend wrote it. */
  readonly info: string | undefined;
  /** The key that signed it; a token is signed by none of the app's. */
  readonly key: AppKey | undefined;
  /** The token that says so, if it is no signature. */
  readonly token?: Token | undefined;
  readonly claims: Claims | undefined;
}

/** A verified sign-in. */
export interface SignInData extends User {
  /** `user_data` as the client sent it; a token has none. */
  readonly data: string | undefined;
  /** Ids of the users that this user watches. */
  readonly watchlist: readonly string[];
  /** Whether the list was longer than allowed. */
  readonly watchlistCut: boolean;
}

/** Users that one user may watch. */
export const WATCHLIST_LENGTH = 100;

/** The sign-in that a token makes. */
export function signInOf(token: Token): SignInData {
  const { userId: id, userInfo: info } = token;
  return {
    id,
    info,
    key: undefined,
    claims: undefined,
    token,
    data: undefined,
    watchlist: [],
    watchlistCut: false,
  };
}

/** The broker refuses a sign-in. */
export class SignInRefusal extends Refusal {
  /** @param explanation the text that should have been signed */
  constructor(
    code: ErrorCode,
    message: string,
    readonly explanation?: string,
    readonly part: RefusedPart = {},
  ) {
    super(codes.unauthorized, code, message);
  }
}

/**
 * Checks whether a connection may sign in, and as which user (docs/protocol.md, "Sign-in").
 *
 * @throws SignInRefusal if it may not
 */
export function authenticateUser(
  app: App,
  socketId: string,
  { auth, userData }: { readonly auth: unknown; readonly userData: unknown },
  now: number,
): SignInData & { readonly key: AppKey } {
  if (typeof userData !== 'string')
    throw new SignInRefusal('invalid_user_data', 'user_data must be a string that holds JSON');
  const text = userText(socketId, userData);
  const signer = signerOf(app, text, parseProof(auth));
  if ('fault' in signer) throw new SignInRefusal(signer.code, signer.fault, expected(text));
  const missing = signer.scopes.missing('sign_in');
  if (missing !== undefined) {
    const why = scopeMissing(signer.name, missing);
    throw new SignInRefusal('scope_missing', why, undefined, { scope: missing });
  }

  const object = parseObject(userData);
  if (!object) throw new SignInRefusal('invalid_user_data', 'user_data must be a JSON object');
  const { claims } = readSignInClaims(object, userData, now);
  const { id, user_info: info, watchlist, [CLAIMS]: _, ...rest } = object;
  if (!isUserId(id)) {
    throw new SignInRefusal(
      'invalid_user_data',
      'user_data must have an id: 1 to 128 of A-Z a-z 0-9 _ - = @ , . ;',
    );
  }
  const infoText = readInfo(info, userData, (why) => new SignInRefusal('invalid_user_data', why));
  const size = Buffer.byteLength(JSON.stringify({ id, user_info: info, ...rest }));
  if (size > app.limits.presenceMemberBytes) {
    throw new SignInRefusal(
      'user_data_too_large',
      `user_data is longer than ${app.limits.presenceMemberBytes} bytes`,
    );
  }
  const watched = watchlist ?? [];
  if (!Array.isArray(watched) || !watched.every((entry) => isUserId(entry))) {
    throw new SignInRefusal(
      'invalid_user_data',
      'watchlist must be a list of user ids, each 1 to 128 of A-Z a-z 0-9 _ - = @ , . ;',
    );
  }
  return {
    id,
    info: infoText,
    key: signer,
    data: userData,
    claims,
    watchlist: watched.slice(0, WATCHLIST_LENGTH),
    watchlistCut: watched.length > WATCHLIST_LENGTH,
  };
}

function readSignInClaims(object: JsonObject, userData: string, now: number): Signed {
  try {
    return readClaims(object, userData, 'sign-in', now);
  } catch (error) {
    if (!(error instanceof ClaimRefusal)) throw error;
    const { code, message, claim } = error;
    throw new SignInRefusal(code, message, undefined, { claim });
  }
}
