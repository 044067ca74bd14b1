import type { Adapter } from '../adapter/adapter.ts';
import { ApiError } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import type { LiveApps } from './live/live-apps.ts';
import { type EndedSessions, endOf, type Session } from './sessions.ts';

const REASON = 'The session has ended';
/** Sessions begin with the secret of an app, and last for hours. */
const BOUNDS = { blocks: 100_000, bytes: 33_554_432 };

export interface LiveSessionsParts {
  readonly liveApps: LiveApps;
  readonly adapter: Adapter;
  readonly hub: Hub;
}

/**
 * The sessions that were ended, as users of the built-in apps who are kept out: the adapter tells all nodes, and what
 * their pages hear ends with them.
 */
export class BlockedSessions implements EndedSessions {
  readonly #parts: LiveSessionsParts;

  constructor(parts: LiveSessionsParts) {
    this.#parts = parts;
  }

  async has({ id, app }: Session): Promise<boolean> {
    const { liveApps, adapter } = this.#parts;
    return (await adapter.blocks.find(liveApps.beside(app).app.id, id)) !== undefined;
  }

  async add({ id, app }: Session): Promise<void> {
    const { liveApps, adapter, hub } = this.#parts;
    const live = liveApps.beside(app);
    const block = { appId: live.app.id, userId: id, channel: undefined, reason: REASON, until: endOf(id) };
    if (!(await adapter.blocks.add(block, BOUNDS))) {
      throw new ApiError(503, 'Too many sessions were ended lately: this one stands until its time is over');
    }
    await hub.endings.evict(live.app, live.channel, { userId: id }, REASON);
  }
}
