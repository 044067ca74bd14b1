import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { App } from '../../apps/app.ts';
import type { Hub } from '../../hub/hub.ts';
import { endOf } from '../sessions.ts';
import type { LiveApps } from './live-apps.ts';

/** Carries what this node sees of an app to the pages of the console, over the broker itself. */
export class Feed {
  /** Tells the reports of one node from those of another. */
  readonly #node = randomBytes(4).toString('hex');
  readonly #liveApps: LiveApps;
  readonly #hub: Hub;
  readonly #log: Logger;

  constructor(parts: { readonly liveApps: LiveApps; readonly hub: Hub; readonly log: Logger }) {
    this.#liveApps = parts.liveApps;
    this.#hub = parts.hub;
    this.#log = parts.log;
  }

  tell(app: App, name: 'figures' | 'entries' | 'subscribers', report: object): void {
    const live = this.#liveApps.beside(app);
    const data = JSON.stringify({ node: this.#node, ...report });
    this.#hub.publish(live.app, [live.channel], { name, data }).catch((error: unknown) => {
      this.#log.error({ err: error, appId: app.id }, 'console not told');
    });
  }

  /** Ends what this node still tells pages whose session is over. */
  endExpired(app: App, now: number): void {
    const live = this.#liveApps.beside(app);
    for (const [{ socketId }, { userId }] of this.#hub.subscriptions.of(live.app, live.channel.name)) {
      if (userId === undefined || endOf(userId) > now) continue;
      this.#hub.endings
        .evict(live.app, live.channel, { socketId }, 'The session has ended')
        .catch((error: unknown) => {
          this.#log.error({ err: error, appId: app.id }, 'console session not ended');
        });
    }
  }
}
