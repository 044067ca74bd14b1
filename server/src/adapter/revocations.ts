/** What the application has taken back: kept, so that no older grant counts any more. */

/** Whose rights a revocation concerns: all that is given must match. */
export interface RevocationTarget {
  readonly userId?: string | undefined;
  readonly channel?: string | undefined;
  readonly channelPrefix?: string | undefined;
  readonly socketId?: string | undefined;
  readonly grantId?: string | undefined;
  /** The name of the key that signed. */
  readonly key?: string | undefined;
}

/** What becomes of the rights that match. */
export type RevocationAction = 'end' | 'disconnect' | 'reconnect' | 'recheck';

/** One order of an application to take rights back. */
export interface Revocation {
  readonly id: string;
  readonly appId: string;
  readonly target: RevocationTarget;
  readonly action: RevocationAction;
  readonly reason: string;
  /** Unix milliseconds. */
  readonly at: number;
  /** The connection that it does not concern; a block concerns it from its next connection on. */
  readonly exceptSocketId?: string | undefined;
  /** Milliseconds over which a reconnect is spread. */
  readonly spreadMs?: number | undefined;
  /** Whether it concerns sign-ins only, as the end of all connections of a user does. */
  readonly isOfSignIns?: boolean | undefined;
  /** Unix milliseconds until which rights that were issued before it do not count. */
  readonly outlawsUntil?: number | undefined;
  /** Unix milliseconds until which no right of the target counts. */
  readonly blockedUntil?: number | undefined;
}

/** Unix milliseconds until which a revocation is kept; 0 if it need not be. */
export function keptUntil({ outlawsUntil = 0, blockedUntil = 0 }: Revocation): number {
  return Math.max(outlawsUntil, blockedUntil);
}

/** How many revocations of an app may be kept at a time. */
export interface RevocationBounds {
  readonly count: number;
  /** As {@link revocationBytes} counts them. */
  readonly bytes: number;
}

/** The bytes that a revocation counts for: its texts, and what is stored beside them. */
export function revocationBytes({ id, target, reason, exceptSocketId = '' }: Revocation): number {
  return 100 + Buffer.byteLength(id + JSON.stringify(target) + reason + exceptSocketId);
}

/** Some of the revocations that are kept. */
export interface RevocationPage {
  readonly revocations: readonly Revocation[];
  /** Where the next page begins; `undefined`: there is none. */
  readonly cursor?: string | undefined;
  /** The present, as {@link Revocations.now} tells it. */
  readonly now: number;
}

/** The revocations of all apps that are kept. */
export interface Revocations {
  /** Unix milliseconds by the one clock that all nodes date revocations by, whatever their own clocks say. */
  now(): Promise<number>;
  /**
   * Keeps a revocation, in place of the one with the same id. Nodes that start once this has resolved know of it.
   *
   * @returns whether there was room for it; those that are over take none
   */
  keep(revocation: Revocation, bounds: RevocationBounds): Promise<boolean>;
  forget(appId: string, id: string): Promise<void>;
  /** Whether what was kept last under this id is persisted, where revocations are; waits for that briefly. */
  isPersisted(appId: string, id: string): Promise<boolean>;
  /** @param cursor of the page before */
  page(cursor?: string): Promise<RevocationPage>;
}
