import type { Logger } from 'pino';
import type { AdapterListener, Command, Counts, Message, Missed } from '../adapter/adapter.ts';
import type { Topic } from '../adapter/topic.ts';
import type { AppStore } from '../apps/app.ts';
import type { Core } from '../core/core.ts';
import { CountAnnouncer } from '../hub/subscription-counts.ts';
import { SeatIndex } from './seat-index.ts';
import { TopicRouter } from './topic-router.ts';

/** What all workers share, and which worker holds what of it. */
export class ParentState implements AdapterListener {
  readonly seats = new SeatIndex<object>();
  readonly switchboard: TopicRouter;
  readonly counts: CountAnnouncer;

  /** @param core what the parent asks on behalf of the workers */
  constructor(
    readonly core: Core,
    readonly apps: AppStore,
    readonly log: Logger,
  ) {
    const { adapter, journal } = core;
    this.switchboard = new TopicRouter(adapter.bus);
    this.counts = new CountAnnouncer(adapter, apps, log);
    adapter.attach(this, journal);
  }

  deliver(message: Message): void {
    if (message.kind === 'count') this.counts.announced(message);
    this.switchboard.deliver(message);
  }

  obey(command: Command): void {
    this.switchboard.obey(command);
  }

  missed(missed: Missed): Promise<void> {
    return this.switchboard.missed(missed);
  }

  lapsed(topic: Topic, left: Pick<Counts, 'subscriptions' | 'version'>): void {
    this.counts.lapsed(topic, left);
  }

  /** Delivers webhooks that wait, once no worker tells anything any more. */
  async drain(deadline: number): Promise<void> {
    this.counts.close();
    await this.core.drain(deadline);
  }

  async close(): Promise<void> {
    this.counts.close();
    await this.core.close();
  }
}
