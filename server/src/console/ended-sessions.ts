import type { Adapter } from '../adapter/adapter.ts';
import { ApiError } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import type { LiveApps } from './live/live-apps.ts';
import { type EndedSessions, endOf, type Session } from './sessions.ts';

const REASON = 'The session has ended';
/** Only users with the secret of an app can start sessions, so these bounds are generous. */
const BOUNDS = { blocks: 100_000, bytes: 33_554_432 };

export interface LiveSessionsParts {
  readonly liveApps: LiveApps;
  readonly adapter: Adapter;
  readonly hub: Hub;
}

/**
 * Stores ended sessions as blocks of users of the built-in apps: the adapter shares blocks with all nodes, and an
 * eviction ends the live data of the session's pages.
 */
export class BlockedSessions implements EndedSessions {
  readonly #parts: LiveSessionsParts;

  constructor(parts: LiveSessionsParts) {
    this.#parts = parts;
  }

  async has({ id, app }: Session): Promise<boolean> {
    const { liveApps, adapter } = this.#parts;
    return (await adapter.blocks.find(liveApps.of(app).app.id, id)) !== undefined;
  }

  async add({ id, app }: Session): Promise<void> {
    const { liveApps, adapter, hub } = this.#parts;
    const live = liveApps.of(app);
    const block = { appId: live.app.id, userId: id, channel: undefined, reason: REASON, until: endOf(id) };
    if (!(await adapter.blocks.add(block, BOUNDS))) {
      throw new ApiError(
        503,
        'too_many_sessions',
        'Too many sessions have ended lately: this one ends at its timeout',
      );
    }
    await hub.endings.evict(live.app, live.channel, { userId: id }, REASON);
  }
}
