import {
  channelText,
  isUserId,
  type Proof,
  parseProof,
  userText,
  verify,
} from '@countersign/sdk-server/signature';
import { CLAIMS, ClaimRefusal, type Claims, readClaims, type Signed } from '../access/claims.ts';
import { type Grant, PUBLIC_GRANT } from '../access/grant.ts';
import type { Token } from '../access/token.ts';
import type { App } from '../apps/app.ts';
import type { AppKey } from '../apps/app-key.ts';
import { scopeMissing } from '../apps/key-scope.ts';
import type { ErrorCode } from '../error-codes.ts';
import { codes, Refusal, SubscriptionRefusal } from '../errors.ts';
import type { Channel } from '../protocol/channel.ts';
import type { Member } from '../protocol/frames.ts';
import { memberText, NestedTooDeeply } from '../protocol/json-text.ts';
import { type JsonObject, parseObject } from '../protocol/messages.ts';
import { isWellFormed } from '../protocol/well-formed.ts';
import { checkClaims, readChannelClaims } from './channel-claims.ts';
import { grantByToken } from './token-grants.ts';

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

/** Characters in the id of a presence member. */
const MEMBER_ID_LENGTH = 128;

/**
 * Checks whether a connection may subscribe to a channel, and as which member (docs/protocol.md, "Authorization").
 *
 * @param user the user that the connection has signed in as
 * @param now Unix milliseconds
 * @throws SubscriptionRefusal if it may not
 */
export function authorizeSubscription(
  app: App,
  socketId: string,
  channel: Channel,
  proof: { readonly auth: unknown; readonly channelData: unknown },
  user: User | undefined,
  now: number,
): Grant {
  if (channel.kind === 'public') return PUBLIC_GRANT;
  if (channel.kind === 'user') {
    if (user && user.id === channel.userId)
      return { key: user.key, member: undefined, claims: user.claims, token: user.token };
    throw new SubscriptionRefusal(
      'AuthError',
      401,
      'sign_in_required',
      'Only a connection signed in as this user may subscribe',
    );
  }

  if (user?.token && isMissing(proof.auth)) return grantByToken(channel, user.token);

  const { channelData } = proof;
  if (channelData !== undefined && channelData !== null && typeof channelData !== 'string') {
    throw new SubscriptionRefusal(
      'InvalidChannelData',
      400,
      'invalid_channel_data',
      'channel_data must be a string that holds JSON',
    );
  }
  const data = channelData || undefined;
  const key = checkChannelProof(app, channelText(socketId, channel.name, data), proof.auth);
  const missing = key.scopes.missingFor('subscribe', channel.name);
  if (missing !== undefined)
    throw new SubscriptionRefusal('AuthError', 403, 'scope_missing', scopeMissing(key.name, missing));

  // Even signed text must be an object: an attacker can make a careless endpoint sign other text in its place.
  const object = data === undefined ? undefined : parseObject(data);
  const signed = data !== undefined && object ? readChannelClaims(object, data, now) : undefined;
  const described = signed?.text ?? data;
  if (described !== undefined && Buffer.byteLength(described) > app.limits.presenceMemberBytes) {
    const limit = app.limits.presenceMemberBytes;
    throw new SubscriptionRefusal(
      'LimitReached',
      413,
      'member_too_large',
      `channel_data is longer than ${limit} bytes`,
    );
  }
  if (data !== undefined && !object) {
    throw new SubscriptionRefusal(
      'InvalidChannelData',
      400,
      'invalid_channel_data',
      'channel_data must be a JSON object',
    );
  }
  const claims = signed?.claims;
  const member = channel.kind === 'presence' ? memberFrom(object, data, user) : undefined;
  checkClaims(app, claims, member, user?.id);
  return app.renewal ? { key, member, claims, signedData: data } : { key, member, claims };
}

function isMissing(auth: unknown): boolean {
  return auth === undefined || auth === null || auth === '';
}

function memberFrom(
  object: JsonObject | undefined,
  data: string | undefined,
  user: User | undefined,
): Member {
  if (data !== undefined && object && !isClaimsOnly(object)) return readMember(object, data);
  if (user) return memberOf(user);
  throw new SubscriptionRefusal(
    'InvalidChannelData',
    400,
    'invalid_channel_data',
    'A presence channel needs channel_data with a user_id, unless the connection has signed in',
  );
}

/** Whether signed data says nothing of a member. */
function isClaimsOnly(object: JsonObject): boolean {
  return Object.hasOwn(object, CLAIMS) && Object.keys(object).length === 1;
}

function checkChannelProof(app: App, text: string, auth: unknown): AppKey {
  if (isMissing(auth)) {
    throw new SubscriptionRefusal(
      'AuthError',
      401,
      'missing_auth',
      'Auth info required to subscribe',
      expected(text),
    );
  }
  const signer = signerOf(app, text, parseProof(auth));
  if ('fault' in signer)
    throw new SubscriptionRefusal('AuthError', 401, signer.code, signer.fault, expected(text));
  return signer;
}

/** What is wrong with a proof. */
interface Fault {
  readonly code: ErrorCode;
  readonly fault: string;
}

/** The key that signed a text, or the fault of the proof. */
function signerOf(app: App, text: string, proof: Proof | undefined): AppKey | Fault {
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

function expected(text: string): string {
  return `expected the HMAC SHA256 hex digest of ${JSON.stringify(text)}`;
}

function readMember({ user_id: id, user_info: info }: JsonObject, data: string): Member {
  const userId = typeof id === 'number' ? decimalOf(id, data) : id;
  if (typeof userId !== 'string' || userId === '') {
    throw new SubscriptionRefusal(
      'InvalidChannelData',
      400,
      'invalid_channel_data',
      'channel_data must have a user_id: a string that is not empty, or a whole number',
    );
  }
  if (userId.length > MEMBER_ID_LENGTH) {
    throw new SubscriptionRefusal(
      'LimitReached',
      413,
      'member_too_large',
      `user_id is longer than ${MEMBER_ID_LENGTH} characters`,
    );
  }
  // One half of a surrogate pair is no text: on its way over Redis it would become another id.
  if (!isWellFormed(userId)) {
    throw new SubscriptionRefusal(
      'InvalidChannelData',
      400,
      'invalid_channel_data',
      'user_id holds one half of a surrogate pair',
    );
  }
  const userInfo = readInfo(
    info,
    data,
    (why) => new SubscriptionRefusal('InvalidChannelData', 400, 'invalid_channel_data', why),
  );
  return userInfo === undefined ? { userId } : { userId, userInfo };
}

/**
 * The JSON text of `user_info`.
 *
 * @param info the parsed value of `user_info`
 * @throws the error that `refuse` creates for an invalid value
 */
function readInfo(
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

/** A whole number in decimal digits. Beyond 2^53, where JSON.parse rounds, the digits of the text. */
function decimalOf(number: number, data: string): string | undefined {
  if (Number.isSafeInteger(number)) return String(number);
  const written = memberText(data, 'user_id') ?? '';
  return /^-?[1-9]\d*$/.test(written) ? written : undefined;
}

function memberOf({ id, info }: User): Member {
  return info ? { userId: id, userInfo: info } : { userId: id };
}

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
  if (missing !== undefined) throw new SignInRefusal('scope_missing', scopeMissing(signer.name, missing));

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
    throw error instanceof ClaimRefusal ? new SignInRefusal(error.code, error.message) : error;
  }
}

/** The text of a refusal for the client: with the explanation only if the app says so. */
export function explain(
  { message, explanation }: { readonly message: string; readonly explanation?: string | undefined },
  { explainRefusals }: App,
): string {
  return explainRefusals && explanation ? `${message}: ${explanation}` : message;
}
