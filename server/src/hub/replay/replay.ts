import type { Logger } from 'pino';
import type { History } from '../../adapter/adapter.ts';
import type { Topic } from '../../adapter/topic.ts';
import { severityOf } from '../../errors.ts';
import type { HistoryEvent, HistoryPage, HistoryQuery, LostCode, Position } from '../../history/history.ts';
import { increment } from '../../metrics.ts';
import type { Frame, Recovery } from '../../protocol/frames.ts';
import type { LocalChannel } from '../local-channel.ts';
import type { Subscriber } from '../subscriber.ts';
import type { Subscription } from '../subscriptions/subscription.ts';

/** Events of one page. The next one is sent when the client has read it. */
const PAGE_EVENTS = 100;
/** Bytes of one page, far below what may wait for a reader. */
const PAGE_BYTES = 65_536;

/** What a returning client says about where it was. */
export interface Resume {
  /** The position of the last event that it got; `undefined`: it sent something else than a position. */
  readonly after: Position | undefined;
  /** The socket id that it had: events that excluded it were its own. */
  readonly without: string | undefined;
}

export interface ReplayParts {
  readonly history: History;
  readonly log: Logger;
  readonly topic: Topic;
  readonly local: LocalChannel;
  readonly subscriber: Subscriber;
  readonly subscription: Subscription;
}

/**
 * Sends one new subscriber the events of the history that it asked for, page by page, and then what was published
 * meanwhile. Live events are not sent before; they are in the history, too, so they need not be held while it is read.
 */
export class Replay {
  readonly #parts: ReplayParts;
  readonly #query: Omit<HistoryQuery, 'limit' | 'bytes'>;
  readonly #resume: Resume | undefined;
  #page: HistoryPage | undefined;
  #lost: LostCode | undefined;
  /** The version up to which events were missed; those after it are live. */
  #until = 0;

  /** @param query which events are sent */
  private constructor(parts: ReplayParts, query: Omit<HistoryQuery, 'limit' | 'bytes'>, resume?: Resume) {
    this.#parts = parts;
    this.#query = query;
    this.#resume = resume;
  }

  /** Reads the first page of what follows a position, or of the last events if there is none. */
  static async begin(parts: ReplayParts, resume: Resume | undefined): Promise<Replay> {
    const { app, channel } = parts.local;
    const { after, without } = resume ?? {};
    const rewind = app.historyOf(channel.name)?.rewind ?? 0;
    const replay = new Replay(parts, resume ? { after, without } : { last: rewind }, resume);
    await replay.#begin();
    return replay;
  }

  async #begin(): Promise<void> {
    const { topic, local } = this.#parts;
    const hasHistory = local.app.historyOf(local.channel.name) !== undefined;
    if (!hasHistory || (this.#resume && this.#resume.after === undefined)) {
      this.#lost = 'position_unknown';
      return;
    }
    const page = await this.#parts.history.read(topic, this.#bounded(this.#query));
    if (typeof page === 'string') {
      this.#lost = page;
      return;
    }
    this.#page = page;
    this.#until = page.version;
  }

  /** The position after which everything is sent. */
  get begin(): Position | undefined {
    return this.#page?.begin;
  }

  /** The position after which events are live. */
  get position(): Position | undefined {
    return this.#page?.position;
  }

  /** Whether events follow that hold the last one of the channel, or the client has it. */
  get coversLast(): boolean {
    return this.#page !== undefined && (this.#resume !== undefined || this.#page.count > 0);
  }

  /** Why nothing is replayed to a client that came back. */
  get lost(): LostCode | undefined {
    return this.#lost;
  }

  /** What the acknowledgement says; counts the outcome. */
  get recovery(): Recovery | undefined {
    if (!this.#resume) return undefined;
    const count = this.#page?.count ?? 0;
    const status = !this.#page ? 'lost' : count > 0 ? 'replayed' : 'current';
    increment(this.#parts.local.metrics.recoveries, status);
    return this.#lost === undefined ? { status, count } : { status, count, code: this.#lost };
  }

  /** Sends the first page now and the others as the client reads; live events follow. */
  send(): void {
    const page = this.#page;
    if (!page) return;
    this.#sendPage(page);
    if (page.isComplete && this.#release(page)) return;
    this.#sendRest(page).catch((error: unknown) => {
      const { log, topic, subscriber } = this.#parts;
      log[severityOf(error)]({ err: error, topic }, 'failed to replay a history');
      if (this.#isCurrent) subscriber.reconnect('unavailable', 'The history could not be read');
    });
  }

  async #sendRest(first: HistoryPage): Promise<void> {
    const { history, topic, subscriber, subscription } = this.#parts;
    let page = first;
    do {
      subscription.dropLive();
      if (!(await subscriber.drained()) || !this.#isCurrent) return;
      subscription.hold();
      const next = await history.read(topic, this.#bounded({ ...this.#query, after: page.next }));
      if (!this.#isCurrent) return;
      // The history has dropped what the client has not got: it reads more slowly than events come.
      if (typeof next === 'string') return subscriber.dropSlowReader();
      this.#sendPage(next);
      page = next;
    } while (!page.isComplete || !this.#release(page));
  }

  /** Returns whether live events follow now; otherwise the history is read once more. */
  #release({ version }: HistoryPage): boolean {
    const { local, subscriber, subscription } = this.#parts;
    const news = subscription.release(version);
    if (!news) return false;
    if (subscription.owed) subscription.owed.at = local.monotonic();
    local.sendWaiting(subscriber, news);
    local.metrics.deliveries += news.length;
    return true;
  }

  #sendPage({ events, next }: HistoryPage): void {
    const { local, subscriber, subscription } = this.#parts;
    for (const event of events) subscriber.send(this.#frame(event));
    subscription.reach(next);
    local.metrics.deliveries += events.length;
    local.metrics.usage.delivered += events.length;
  }

  #frame(event: HistoryEvent): Frame {
    const { local, subscriber } = this.#parts;
    return local.replayed.frame(
      event,
      subscriber.isCapable ? (event.version <= this.#until ? 'replayed' : 'live') : 'stock',
    );
  }

  /** Whether the subscription has not ended. */
  get #isCurrent(): boolean {
    const { local, subscriber, subscription } = this.#parts;
    return local.get(subscriber) === subscription;
  }

  #bounded(query: Omit<HistoryQuery, 'limit' | 'bytes'>): HistoryQuery {
    return { ...query, limit: PAGE_EVENTS, bytes: PAGE_BYTES };
  }
}
