import { ArgumentError } from '../errors.ts';

/** Whose rights are taken back: all that is given must match. */
export interface RevocationTarget {
  readonly userId?: string | undefined;
  readonly channel?: string | undefined;
  readonly channelPrefix?: string | undefined;
  readonly socketId?: string | undefined;
  readonly grantId?: string | undefined;
  /** The key that signed. */
  readonly key?: string | undefined;
}

/** What to take back, and how. The broker checks it. */
export interface Revocation {
  /** At least one of its fields. */
  readonly target: RevocationTarget;
  /** @default 'end' */
  readonly action?: 'end' | 'disconnect' | 'reconnect' | 'recheck' | undefined;
  /** Text for the user: 1 to 200 characters. */
  readonly reason?: string | undefined;
  /** Seconds for which the target is not let in again. */
  readonly blockSeconds?: number | undefined;
  /** Seconds over which reconnects are spread: 0 to 60. */
  readonly spreadSeconds?: number | undefined;
  /** The connection that keeps what it has. */
  readonly exceptSocketId?: string | undefined;
}

/** What came of a revocation. */
export interface RevocationAnswer {
  readonly id: string;
  readonly ended: { readonly subscriptions: number; readonly connections: number };
  readonly nodes: { readonly acknowledged: number; readonly total: number };
  /** Nodes that have not confirmed yet. */
  readonly pending?: readonly string[];
  /** Rechecked grants about which the backend has not answered. */
  readonly unanswered?: number;
  readonly took_ms: number;
  /** The block is not on the disk yet. */
  readonly block_persisted?: false;
}

/** The revocations that are in force. */
export interface RevocationsAnswer {
  readonly revocations: readonly {
    readonly id: string;
    readonly target: Readonly<Partial<Record<TargetField, string>>>;
    readonly action: 'end' | 'disconnect' | 'reconnect' | 'recheck';
    readonly reason: string;
    readonly at_ms: number;
    /** Unix seconds. */
    readonly blocked_until: number | null;
  }[];
  /** For the next page. */
  readonly cursor?: string;
}

/** Who can read what. Times are Unix seconds. */
export interface AccessAnswer {
  readonly subscriptions: readonly {
    readonly socket_id: string;
    readonly user_id: string | null;
    readonly channel: string;
    readonly since: number;
    readonly grant: {
      readonly id: string | null;
      readonly key: string | null;
      readonly issued_at: number | null;
      readonly expires_at: number | null;
      readonly may: readonly ('subscribe' | 'publish')[];
    };
  }[];
  /** For the next page. */
  readonly cursor?: string;
}

/** A page of a list. */
export interface PageQuery {
  readonly cursor?: string | undefined;
  /** 1 to 1000. @default 100 */
  readonly limit?: number | undefined;
}

/** Whose access is asked for: a user, a channel or both. */
export interface AccessQuery extends PageQuery {
  readonly userId?: string | undefined;
  readonly channel?: string | undefined;
}

type TargetField = 'user_id' | 'channel' | 'channel_prefix' | 'socket_id' | 'grant_id' | 'key';

/** Builds the body of a revocation. An unknown field goes to the broker, which refuses it and names it. */
export function revocationBody(revocation: Revocation): object {
  const { target, blockSeconds, spreadSeconds, exceptSocketId, ...rest } = revocation;
  const { userId, channelPrefix, socketId, grantId, ...same } = target;
  return {
    ...rest,
    target: {
      ...same,
      user_id: userId,
      channel_prefix: channelPrefix,
      socket_id: socketId,
      grant_id: grantId,
    },
    block_seconds: blockSeconds,
    spread_seconds: spreadSeconds,
    except_socket_id: exceptSocketId,
  };
}

export function pageParams({ cursor, limit }: PageQuery): Record<string, string | undefined> {
  return { cursor, limit: limit === undefined ? undefined : String(limit) };
}

/** @throws ArgumentError `invalid_request` */
export function accessParams({ userId, channel, ...page }: AccessQuery): Record<string, string | undefined> {
  if (userId === undefined && channel === undefined)
    throw new ArgumentError('invalid_request', 'Give userId, channel or both');
  return { user_id: userId, channel, ...pageParams(page) };
}
