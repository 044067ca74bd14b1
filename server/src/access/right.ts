import type { Revocation } from '../adapter/revocations.ts';

/** A right that a connection has, or asks for. */
export interface Right {
  readonly appId: string;
  /** `undefined`: to be a user. */
  readonly channel: string | undefined;
  readonly userId: string | undefined;
  readonly socketId: string;
  readonly grantId: string | undefined;
  /** The name of the key that signed it. */
  readonly key: string | undefined;
  /** Unix seconds, if it says so; else it is as old as its connection. */
  readonly issuedAt: number | undefined;
  /** The number of revocations that the process knew of when the connection was opened. */
  readonly openedAfter: number;
  /** Whether it stands in a token. */
  readonly isByToken: boolean;
}

/** Whether a right is one of those that a revocation names, leaving aside whom it excepts. */
export function isTarget({ target }: Revocation, right: Right): boolean {
  const { userId, channel, channelPrefix, socketId, grantId, key } = target;
  return (
    (userId === undefined || userId === right.userId) &&
    (channel === undefined || channel === right.channel) &&
    (channelPrefix === undefined || right.channel?.startsWith(channelPrefix) === true) &&
    (socketId === undefined || socketId === right.socketId) &&
    (grantId === undefined || grantId === right.grantId) &&
    (key === undefined || key === right.key)
  );
}

/** A time of issue has whole seconds, so one in the second of the revocation may be before it. */
export function isIssuedAfter(issuedAt: number | undefined, { at }: Revocation): boolean {
  return issuedAt !== undefined && issuedAt > Math.floor(at / 1000);
}

const ANY = '';

/** Where a revocation is found: by the rarest thing that its target names. */
export function indexOf({ userId, socketId, grantId, channel }: Revocation['target']): string {
  if (userId !== undefined) return `user:${userId}`;
  if (socketId !== undefined) return `socket:${socketId}`;
  if (grantId !== undefined) return `grant:${grantId}`;
  return channel === undefined ? ANY : `channel:${channel}`;
}

/** Where the revocations are that may concern a right. */
export function* indicesOf({ userId, socketId, grantId, channel }: Right): Iterable<string> {
  if (userId !== undefined) yield `user:${userId}`;
  yield `socket:${socketId}`;
  if (grantId !== undefined) yield `grant:${grantId}`;
  if (channel !== undefined) yield `channel:${channel}`;
  yield ANY;
}
