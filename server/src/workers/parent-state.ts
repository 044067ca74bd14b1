import type { Logger } from 'pino';
import type { AdapterListener, BusListener, Command, Counts, Message, Missed } from '../adapter/adapter.ts';
import type { NodeAnswer, Question } from '../adapter/questions.ts';
import type { Topic } from '../adapter/topic.ts';
import type { AppStore } from '../apps/app.ts';
import type { NodeCore } from '../core/core.ts';
import { CountAnnouncer } from '../hub/subscription-counts.ts';
import { SeatIndex } from './seat-index.ts';
import { TopicRouter } from './topic-router.ts';

/** What all workers share, and the parent's record of which worker holds what of it. */
export class ParentState implements AdapterListener {
  readonly seats = new SeatIndex<BusListener>();
  readonly router: TopicRouter;
  readonly counts: CountAnnouncer;

  /** @param core the one that the workers call */
  constructor(
    readonly core: NodeCore,
    readonly apps: AppStore,
    readonly log: Logger,
  ) {
    const { adapter, journal } = core;
    this.router = new TopicRouter(adapter.bus);
    this.counts = new CountAnnouncer(adapter, apps, log);
    adapter.attach(this, journal);
  }

  deliver(message: Message): void {
    if (message.kind === 'count') this.counts.announced(message);
    this.router.deliver(message);
  }

  obey(command: Command): void {
    this.router.obey(command);
  }

  answer(question: Question): Promise<NodeAnswer> {
    return this.router.answer(question);
  }

  proveAgain(): void {
    this.router.proveAgain();
  }

  missed(missed: Missed): Promise<void> {
    return this.router.missed(missed);
  }

  lapsed(topic: Topic, left: Pick<Counts, 'subscriptions' | 'version'>): void {
    this.counts.lapsed(topic, left);
  }

  /** Delivers pending webhooks after all workers have ended. */
  async drain(deadline: number): Promise<void> {
    this.counts.close();
    await this.core.webhooks.drain(deadline);
  }

  async close(): Promise<void> {
    this.counts.close();
    await this.core.close();
  }
}
