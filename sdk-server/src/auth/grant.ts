import { checkChannel, checkMemberId, checkSocketId, checkUserId, quoted } from '../checks.ts';
import { isEncrypted, requireMasterKey, sharedSecret } from '../encryption.ts';
import { ArgumentError } from '../errors.ts';
import { isRecord, type JsonObject, toJson } from '../json.ts';
import type { Limits, Settings } from '../options.ts';
import { channelText, sign, userText } from '../signature.ts';
import {
  CLAIMS,
  type Claims,
  claimsOf,
  type GrantOptions,
  type SignInOptions,
  signInClaimsOf,
} from './grant-claims.ts';

/** The member that a connection is in a presence channel. Other fields are signed but not shown to other clients. */
export interface PresenceMember {
  /** 1 to 128 characters, or a safe integer, which clients receive as a string. */
  readonly user_id: string | number;
  /** Data that the other members see. */
  readonly user_info?: object | null | undefined;
}

/** The user that a connection signs in as. Other fields are signed, too. */
export interface UserData {
  /** 1 to 128 of the characters that channel names allow. */
  readonly id: string;
  /** Data that other members see if the user joins a presence channel without channel data. */
  readonly user_info?: object | null | undefined;
  /** Ids of at most 100 users whose coming online and going offline the user follows. */
  readonly watchlist?: readonly string[] | undefined;
}

/** A client's request to join one channel on one connection. */
export interface ChannelRequest {
  readonly socketId: string;
  readonly channel: string;
}

/** The right to join one channel. Send it to the client as JSON with status 200. */
export interface ChannelGrant {
  readonly auth: string;
  readonly channel_data?: string;
  readonly shared_secret?: string;
  /** The channel's keys under the additional master keys; the client SDK decrypts with them, too. */
  readonly additional_shared_secrets?: readonly string[];
}

/** The right to sign in. Send it to the client as JSON with status 200. */
export interface UserGrant {
  readonly auth: string;
  readonly user_data: string;
}

const WATCHLIST_LENGTH = 100;

/**
 * Checks that a request can be granted, before the application decides whether it should be.
 *
 * @throws ArgumentError `invalid_socket_id` or `invalid_channel`
 */
export function checkChannelRequest(
  request: { readonly socketId: unknown; readonly channel: unknown },
  limits: Limits,
): ChannelRequest {
  const socketId = checkSocketId(request.socketId);
  const channel = checkChannel(request.channel, limits);
  if (!channel.startsWith('private-') && !channel.startsWith('presence-')) {
    throw new ArgumentError(
      'invalid_channel',
      `Channel ${quoted(channel)} is public and needs no authorization`,
    );
  }
  return { socketId, channel };
}

/** Signs the right of one connection to join one channel. See `Countersign.authorizeChannel`. */
export function grantChannel(
  settings: Settings,
  socketId: string,
  channel: string,
  data: PresenceMember | object | undefined,
  options: GrantOptions,
): ChannelGrant {
  checkChannelRequest({ socketId, channel }, settings.limits);
  const claims = claimsOf(options, settings.now());
  const channelData = channelDataOf(channel, data, claims, settings.limits);
  return {
    auth: authOf(settings, channelText(socketId, channel, channelData)),
    ...(channelData !== undefined && { channel_data: channelData }),
    ...(isEncrypted(channel) && secretsOf(settings, channel)),
  };
}

/** Signs one connection in as a user. See `Countersign.authenticateUser`. */
export function grantUser(
  settings: Settings,
  socketId: string,
  user: UserData,
  options: SignInOptions,
): UserGrant {
  checkSocketId(socketId);
  const { text, parsed } = serialized(user, 'User data');
  const { watchlist, [CLAIMS]: _, ...rest } = parsed;
  checkUserId(parsed['id']);
  checkUserInfo(parsed['user_info']);
  checkWatchlist(watchlist);
  checkSize(JSON.stringify(rest), settings.limits);
  const userData = withClaims(text, parsed, signInClaimsOf(options, settings.now()));
  return { auth: authOf(settings, userText(socketId, userData)), user_data: userData };
}

function channelDataOf(
  channel: string,
  data: object | undefined,
  claims: Claims | undefined,
  limits: Limits,
): string | undefined {
  if (data === undefined) return claims && JSON.stringify({ [CLAIMS]: claims });
  const { text, parsed } = serialized(data, 'Channel data');
  if (channel.startsWith('presence-')) {
    const { [CLAIMS]: _, ...member } = parsed;
    checkMemberId(parsed['user_id']);
    checkUserInfo(parsed['user_info']);
    checkSize(JSON.stringify(member), limits);
  }
  return withClaims(text, parsed, claims);
}

/** Adds claims to data; without claims the text stays as it is. */
function withClaims(text: string, parsed: JsonObject, claims: Claims | undefined): string {
  if (!claims) return text;
  if (!Object.hasOwn(parsed, CLAIMS)) return JSON.stringify({ ...parsed, [CLAIMS]: claims });
  throw new ArgumentError('invalid_grant', `The data has claims already, under ${quoted(CLAIMS)}`);
}

/** Returns the text to sign and its parsed value: the checks apply to the signed text, not to the given object. */
function serialized(value: unknown, what: string): { text: string; parsed: JsonObject } {
  const text = toJson(value, 'invalid_user', what);
  const parsed: unknown = JSON.parse(text);
  if (!isRecord(parsed)) throw new ArgumentError('invalid_user', `${what} must be an object`);
  return { text, parsed };
}

function checkUserInfo(value: unknown): void {
  if (value === undefined || value === null || isRecord(value)) return;
  throw new ArgumentError('invalid_user', 'user_info must be an object');
}

function checkWatchlist(value: unknown): void {
  if (value === undefined) return;
  const isList = Array.isArray(value) && value.every((id) => typeof id === 'string');
  if (isList && value.length <= WATCHLIST_LENGTH) return;
  throw new ArgumentError(
    'invalid_user',
    `watchlist must be an array of at most ${WATCHLIST_LENGTH} strings`,
  );
}

function checkSize(text: string, limits: Limits): void {
  const bytes = Buffer.byteLength(text);
  if (bytes <= limits.presenceMemberBytes) return;
  const limit = `${limits.presenceMemberBytes} bytes are allowed`;
  throw new ArgumentError('too_large', `The data of a user has ${bytes} bytes; ${limit}`);
}

function secretsOf(
  { masterKey, additionalMasterKeys }: Settings,
  channel: string,
): Pick<ChannelGrant, 'shared_secret' | 'additional_shared_secrets'> {
  const [own, ...additional] = [requireMasterKey(masterKey), ...additionalMasterKeys].map((key) =>
    sharedSecret(key, channel).toString('base64'),
  );
  return {
    shared_secret: own!,
    ...(additional.length > 0 && { additional_shared_secrets: additional }),
  };
}

function authOf({ key, secret }: Settings, text: string): string {
  return `${key}:${sign(secret, text)}`;
}
