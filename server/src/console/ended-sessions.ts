import { createHash } from 'node:crypto';
import type { Revocation } from '../adapter/revocations.ts';
import { ApiError, Unavailable } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import type { LiveApps } from './live/live-apps.ts';
import { type EndedSessions, endOf, type Session } from './sessions.ts';

const REASON = 'The session has ended';
/** Only users with the secret of an app or an admin token can start sessions, so these bounds are generous. */
const BOUNDS = { count: 100_000, bytes: 33_554_432 };

export interface LiveSessionsParts {
  readonly liveApps: LiveApps;
  readonly hub: Hub;
  readonly now: () => number;
}

/**
 * Stores ended sessions as revocations of users of the built-in apps, which block them on all nodes and end the live data of
 * the session's pages.
 */
export class BlockedSessions implements EndedSessions {
  readonly #parts: LiveSessionsParts;

  constructor(parts: LiveSessionsParts) {
    this.#parts = parts;
  }

  async has({ id, app }: Session): Promise<boolean> {
    const { liveApps, hub } = this.#parts;
    return hub.revoker.isBlocked(liveApps.of(app).app.id, id);
  }

  async add({ id, app }: Session): Promise<void> {
    const { liveApps, hub, now } = this.#parts;
    await storeEnd(hub, endOfSession(liveApps.of(app).app.id, id, now()));
  }
}

/** @throws Unavailable or ApiError if it could not be stored */
export async function storeEnd(hub: Hub, end: Revocation): Promise<void> {
  const { kept } = await hub.revoker.revoke(end, BOUNDS);
  if (kept === 'failed') throw new Unavailable('The end of the session could not be stored');
  if (kept === 'full') {
    throw new ApiError(
      503,
      'too_many_sessions',
      'Too many sessions have ended lately: this one ends at its timeout',
    );
  }
}

/** Takes back what a session of the console gave. */
export function endOfSession(appId: string, sessionId: string, at: number): Revocation {
  const hash = createHash('sha256').update(sessionId).digest('hex');
  return {
    id: `rev-${hash.slice(0, 24)}`,
    appId,
    target: { userId: sessionId },
    action: 'end',
    reason: REASON,
    at,
    outlawsUntil: endOf(sessionId),
    blockedUntil: endOf(sessionId),
  };
}
