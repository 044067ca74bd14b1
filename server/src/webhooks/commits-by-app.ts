import type { Logger } from 'pino';
import { OutageLog } from '../log/outage-log.ts';
import type { Change, Outbox } from './outbox/outbox.ts';

/** Commits changes to the outbox, and logs once for each app when that begins to fail and when it works again. */
export class CommitsByApp {
  readonly #outbox: Outbox;
  readonly #log: Logger;
  /** By the id of each app whose last commit failed. */
  readonly #outages = new Map<string, OutageLog>();

  constructor(outbox: Outbox, log: Logger) {
    this.#outbox = outbox;
    this.#log = log;
  }

  /** Rejects with the outbox's error if the changes were not committed. */
  async append(changes: readonly Change[]): Promise<void> {
    const appIds = new Set(changes.map(({ appId }) => appId));
    try {
      await this.#outbox.append(changes);
    } catch (error) {
      for (const appId of appIds) this.#outageOf(appId).failed(error, { appId });
      throw error;
    }
    if (this.#outages.size === 0) return;
    for (const appId of appIds) {
      if (this.#outages.get(appId)?.succeeded({ appId })) this.#outages.delete(appId);
    }
  }

  /** Forgets an app, which is gone. */
  forgetApp(appId: string): void {
    this.#outages.delete(appId);
  }

  #outageOf(appId: string): OutageLog {
    let outage = this.#outages.get(appId);
    if (!outage) {
      outage = new OutageLog(
        this.#log,
        'webhook events could not be committed',
        'webhook events are committed again',
      );
      this.#outages.set(appId, outage);
    }
    return outage;
  }
}
