import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { App } from '../../apps/app.ts';
import type { Hub } from '../../hub/hub.ts';
import type { BuiltInApp } from './built-in-app.ts';

/** Carries what this node sees of an app to the pages of the console, over the broker itself. */
export class Feed {
  /** Tells the reports of one node from those of another. */
  readonly #node = randomBytes(4).toString('hex');
  readonly #builtIn: BuiltInApp;
  readonly #hub: Hub;
  readonly #log: Logger;

  constructor(parts: { readonly builtIn: BuiltInApp; readonly hub: Hub; readonly log: Logger }) {
    this.#builtIn = parts.builtIn;
    this.#hub = parts.hub;
    this.#log = parts.log;
  }

  tell(app: App, name: 'figures' | 'entries' | 'subscribers', report: object): void {
    const channel = this.#builtIn.channelOf(app);
    const data = JSON.stringify({ node: this.#node, ...report });
    this.#hub.publish(this.#builtIn.app, [channel], { name, data }).catch((error: unknown) => {
      this.#log.error({ err: error, appId: app.id }, 'console not told');
    });
  }
}
