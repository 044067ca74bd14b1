import { channelText, parseProof } from '@countersign/sdk-server/signature';
import { CLAIMS } from '../../access/claims.ts';
import { type Grant, PUBLIC_GRANT } from '../../access/grant.ts';
import type { App } from '../../apps/app.ts';
import type { AppKey } from '../../apps/keys/app-key.ts';
import { scopeMissing } from '../../apps/keys/key-scope.ts';
import { SubscriptionRefusal } from '../../errors.ts';
import type { Channel } from '../../protocol/channel.ts';
import type { Member } from '../../protocol/frames.ts';
import { memberText } from '../../protocol/json-text.ts';
import { type JsonObject, parseObject } from '../../protocol/messages.ts';
import { isWellFormed } from '../../protocol/well-formed.ts';
import type { User } from './authentication.ts';
import { checkClaims, readChannelClaims } from './channel-claims.ts';
import { expected, readInfo, signerOf } from './proof.ts';
import { grantByToken } from './token-grants.ts';

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
  if (missing !== undefined) {
    const why = scopeMissing(key.name, missing);
    throw new SubscriptionRefusal('AuthError', 403, 'scope_missing', why, undefined, { scope: missing });
  }

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

/** A whole number in decimal digits. Beyond 2^53, where JSON.parse rounds, the digits of the text. */
function decimalOf(number: number, data: string): string | undefined {
  if (Number.isSafeInteger(number)) return String(number);
  const written = memberText(data, 'user_id') ?? '';
  return /^-?[1-9]\d*$/.test(written) ? written : undefined;
}

function memberOf({ id, info }: User): Member {
  return info ? { userId: id, userInfo: info } : { userId: id };
}
