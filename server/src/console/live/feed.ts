import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { App } from '../../apps/app.ts';
import { SubscriptionRefusal } from '../../errors.ts';
import type { Hub } from '../../hub/hub.ts';
import { endOf } from '../sessions.ts';
import type { LiveApps } from './live-apps.ts';
import type { FromNode, LiveReports } from './live-reports.ts';

/** Sends the reports of this node to the pages of the console, over the broker itself. */
export class Feed {
  /** Distinguishes the reports of this node from those of others. */
  readonly #node = randomBytes(4).toString('hex');
  readonly #liveApps: LiveApps;
  readonly #hub: Hub;
  readonly #log: Logger;

  constructor(parts: { readonly liveApps: LiveApps; readonly hub: Hub; readonly log: Logger }) {
    this.#liveApps = parts.liveApps;
    this.#hub = parts.hub;
    this.#log = parts.log;
  }

  send<Name extends keyof LiveReports>(
    app: App,
    name: Name,
    report: Omit<LiveReports[Name], keyof FromNode>,
  ): void {
    const live = this.#liveApps.of(app);
    const data = JSON.stringify({ node: this.#node, ...report });
    this.#hub.publish(live.app, live.channel, { name, data })?.catch((error: unknown) => {
      this.#log.error({ err: error, appId: app.id }, 'console report not sent');
    });
  }

  /** Ends the live data of pages whose session has ended. */
  endExpired(app: App, now: number): void {
    const live = this.#liveApps.of(app);
    for (const [subscriber, { userId }] of this.#hub.subscriptions.of(live.app, live.channel.name)) {
      if (userId === undefined || endOf(userId) > now) continue;
      const why = new SubscriptionRefusal('AuthError', 403, 'grant_revoked', 'The session has ended');
      this.#hub.endings.endOne(live.app, live.channel.name, subscriber, why);
    }
  }
}
