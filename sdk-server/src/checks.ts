/** Checks of arguments, before anything is signed or sent. */
import { ArgumentError } from './errors.ts';
import type { Limits } from './options.ts';
import { isChannelName, isSocketId, isUserId } from './signature.ts';

const USER_ID_LENGTH = 128;

/** @throws ArgumentError `invalid_socket_id` */
export function checkSocketId(value: unknown): string {
  if (isSocketId(value)) return value;
  throw new ArgumentError('invalid_socket_id', `Invalid socket id: ${quoted(value)}`);
}

/** @throws ArgumentError `invalid_channel` */
export function checkChannel(value: unknown, limits: Limits): string {
  if (isChannelName(value, limits.channelNameLength)) return value;
  const rule = `1 to ${limits.channelNameLength} of A-Z a-z 0-9 _ - = @ , . ;`;
  throw new ArgumentError('invalid_channel', `Invalid channel name: ${quoted(value)}; it must be ${rule}`);
}

/** @throws ArgumentError `invalid_user` */
export function checkUserId(value: unknown): string {
  if (isUserId(value)) return value;
  const rule = 'a string of 1 to 128 of A-Z a-z 0-9 _ - = @ , . ;';
  throw new ArgumentError('invalid_user', `Invalid user id: ${quoted(value)}; it must be ${rule}`);
}

/** Checks the id of a presence member, for which more is allowed than for ids of signed-in users. @throws ArgumentError `invalid_user` */
export function checkMemberId(value: unknown): string | number {
  if (typeof value === 'string' && value.length > 0 && value.length <= USER_ID_LENGTH) return value;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  const rule = `a string of 1 to ${USER_ID_LENGTH} characters or a safe integer`;
  throw new ArgumentError('invalid_user', `Invalid user_id: ${quoted(value)}; it must be ${rule}`);
}

/** Quotes a value for a message: its first 100 characters, on one line. */
export function quoted(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 100)) : `a value of type ${typeof value}`;
}
