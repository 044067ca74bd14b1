import { appOfHook, type HookKey } from '../apps/hook.ts';
import type {
  Amounts,
  Announced,
  Change,
  Deliveries,
  DeliveryState,
  Dispatched,
  EventPage,
  HookState,
  KeptBytes,
  Outbox,
  OutboxListener,
} from '../webhooks/outbox/outbox.ts';
import type { NewsItem, Opened } from './calls.ts';
import type { DataThread } from './data-thread.ts';

/** About how many bytes a change takes beside its data. */
const CHANGE_BYTES = 500;
const NONE: Readonly<Record<DeliveryState, number>> = { pending: 0, failing: 0, dead: 0 };
const NO_BYTES: KeptBytes = { delivery: 0, dead_letter: 0, event: 0 };

/** The outbox of the data thread, for the main thread. */
export class StoreOutbox implements Outbox {
  readonly epoch = undefined;
  readonly deliveries: Deliveries;
  readonly #thread: () => DataThread;
  readonly #onStep: ((step: 'beforeWrite' | 'afterWrite') => void) | undefined;
  #told: readonly Announced[] = [];
  #states = new Map<HookKey, HookState>();
  #counts = new Map<HookKey, Readonly<Record<DeliveryState, number>>>();
  #bytes = new Map<string, KeptBytes>();
  #listener: OutboxListener | undefined;

  /** @param onStep is told before a change is handed over, and when it is on the disk */
  constructor(thread: () => DataThread, onStep?: (step: 'beforeWrite' | 'afterWrite') => void) {
    this.#thread = thread;
    this.#onStep = onStep;
    this.deliveries = {
      counts: (hook) => this.#counts.get(hook) ?? NONE,
      lanes: (hook) => thread().ask('lanes', [hook]),
      head: (...of) => thread().ask('head', of),
      acknowledge: (delivery) => thread().ask('acknowledge', [dispatched(delivery)]),
      fail: (delivery, ...how) => thread().ask('fail', [dispatched(delivery), ...how]),
      park: (delivery, ...how) => thread().ask('park', [dispatched(delivery), ...how]),
      list: (...what) => thread().ask('list', what),
      retry: (...what) => thread().ask('retry', what),
      skip: (...what) => thread().ask('skip', what),
    };
  }

  /** Takes the content of the data directory, at the start and after the thread was replaced. */
  opened({ told, states, amounts }: Opened): void {
    this.#told = told;
    this.#states = new Map(states);
    this.#counts = new Map(amounts.counts);
    this.#bytes = new Map(amounts.bytes);
    this.#listener?.reopened();
  }

  /** Takes changed amounts. */
  count({ counts, bytes }: Amounts): void {
    for (const [hook, each] of counts) this.#counts.set(hook, each);
    for (const [appId, each] of bytes) this.#bytes.set(appId, each);
  }

  hear(news: NewsItem): void {
    switch (news[0]) {
      case 'appended':
        return this.#listener?.appended(news[1], news[2], news[3]);
      case 'overflowed':
        return this.#listener?.overflowed(news[1], news[2]);
      case 'dropped':
        return this.#listener?.dropped(news[1], news[2], news[3]);
    }
  }

  attach(listener: OutboxListener): void {
    this.#listener = listener;
  }

  bytesOf(appId: string): KeptBytes {
    return this.#bytes.get(appId) ?? NO_BYTES;
  }

  told(): readonly Announced[] {
    return this.#told;
  }

  async append(changes: readonly Change[]): Promise<void> {
    this.#onStep?.('beforeWrite');
    const bytes = changes.reduce((sum, { event }) => sum + CHANGE_BYTES + (event?.data?.length ?? 0), 0);
    await this.#thread().ask('append', [changes.map(plain)], bytes);
    this.#onStep?.('afterWrite');
  }

  events(appId: string, afterSeq: number, limit: number): Promise<EventPage> {
    return this.#thread().ask('events', [appId, afterSeq, limit]);
  }

  stateOf(hook: HookKey): HookState {
    return this.#states.get(hook) ?? 'active';
  }

  async setState(hook: HookKey, state: HookState): Promise<void> {
    await this.#thread().ask('setState', [hook, state]);
    this.#states.set(hook, state);
  }

  sweep(before: number, hooks: ReadonlySet<HookKey>): Promise<void> {
    return this.#thread().ask('sweep', [before, hooks]);
  }

  /** The thread has deleted everything of an app. */
  forgetApp(appId: string): void {
    for (const hook of this.#states.keys()) if (appOfHook(hook) === appId) this.#states.delete(hook);
    this.#bytes.delete(appId);
  }

  /** Nothing to do: the thread commits all calls before it ends. */
  async close(): Promise<void> {}
}

function plain(change: Change): Change {
  return { ...change, hooks: change.hooks.map(({ key, maxDelayMs }) => ({ key, maxDelayMs })) };
}

/** Not its events, which the thread has. */
function dispatched({ n, hook, attempts }: Dispatched): Dispatched {
  return { n, hook, attempts };
}
