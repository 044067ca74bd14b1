import { checkChannel, checkMemberId, checkSocketId, checkUserId, quoted } from './checks.ts';
import { isEncrypted, requireMasterKey, sharedSecret } from './encryption.ts';
import { ArgumentError } from './errors.ts';
import { isRecord, type JsonObject, toJson } from './json.ts';
import type { Limits, Settings } from './options.ts';
import { channelText, sign, userText } from './signature.ts';

/** Who a connection is on a presence channel. Other fields may be there; they are signed but not shown to anyone. */
export interface PresenceMember {
  /** Non-empty and at most 128 characters, or a safe integer, which others see as text. */
  readonly user_id: string | number;
  /** What the other members may know. */
  readonly user_info?: object | null | undefined;
}

/** Who a connection is for as long as it lives. Other fields may be there; they are signed too. */
export interface UserData {
  /** 1 to 128 characters that a channel name may have. */
  readonly id: string;
  /** What others may know, where the user joins a presence channel without more. */
  readonly user_info?: object | null | undefined;
  /** Ids of at most 100 users whose coming and going the user wants to know. */
  readonly watchlist?: readonly string[] | undefined;
}

/** What a client asks for: that one connection may join one channel. */
export interface ChannelRequest {
  readonly socketId: string;
  readonly channel: string;
}

/** The answer to a client that asks for a channel. Send it as JSON with status 200. */
export interface ChannelGrant {
  readonly auth: string;
  readonly channel_data?: string;
  readonly shared_secret?: string;
  /** The channel's keys under the additional master keys, which our client opens events with, too. */
  readonly additional_shared_secrets?: readonly string[];
}

/** The answer to a client that signs in. Send it as JSON with status 200. */
export interface UserGrant {
  readonly auth: string;
  readonly user_data: string;
}

const WATCHLIST_LENGTH = 100;

/**
 * Checks that a client asks for something that can be granted, before the application is asked whether it should be.
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

/** Signs that one connection may join one channel. See `Countersign.authorizeChannel`. */
export function grantChannel(
  settings: Settings,
  socketId: string,
  channel: string,
  data?: PresenceMember | object,
): ChannelGrant {
  checkChannelRequest({ socketId, channel }, settings.limits);
  const channelData = data === undefined ? undefined : channelDataOf(channel, data, settings.limits);
  return {
    auth: authOf(settings, channelText(socketId, channel, channelData)),
    ...(channelData !== undefined && { channel_data: channelData }),
    ...(isEncrypted(channel) && secretsOf(settings, channel)),
  };
}

/** Signs that one connection is one user. See `Countersign.authenticateUser`. */
export function grantUser(settings: Settings, socketId: string, user: UserData): UserGrant {
  checkSocketId(socketId);
  const { text, parsed } = written(user, 'User data');
  const { watchlist, ...rest } = parsed;
  checkUserId(parsed['id']);
  checkUserInfo(parsed['user_info']);
  checkWatchlist(watchlist);
  checkSize(JSON.stringify(rest), settings.limits);
  return { auth: authOf(settings, userText(socketId, text)), user_data: text };
}

function channelDataOf(channel: string, data: object, limits: Limits): string {
  const { text, parsed } = written(data, 'Channel data');
  if (channel.startsWith('presence-')) {
    checkMemberId(parsed['user_id']);
    checkUserInfo(parsed['user_info']);
    checkSize(text, limits);
  }
  return text;
}

/** The text to sign, and what it says: checked is what is signed, not what it was made from. */
function written(value: unknown, what: string): { text: string; parsed: JsonObject } {
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
  throw new ArgumentError('too_large', `The description of a user has ${bytes} bytes; ${limit}`);
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
