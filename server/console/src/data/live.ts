import { type ConnectionState, Countersign } from '@countersign/sdk-client';
import { ApiFailure, api, OWN_HEADER } from './api.ts';
import { type RefusalGroup, RefusalGroups } from './refusals.ts';
import { type ChartRange, Series } from './series.ts';
import type {
  ChannelSubscribers,
  ConnectionReport,
  EventLine,
  EventLines,
  Figures,
  LiveSubscriber,
  Past,
  SessionView,
} from './wire.ts';

/** Lines that the event stream keeps. */
const MAX_ENTRIES = 500;
/** Milliseconds between two requests that keep the live data coming; the broker waits for 25 seconds. */
const WATCH_MS = 10_000;
/** Milliseconds before the page connects again after the broker has closed its connection. */
const RENEW_MS = 2000;
/** Milliseconds without figures, which come once a second, after which the page calls its data old. */
const STALE_MS = 5000;

/** What a page shows closely. */
export interface Watched {
  readonly channel?: string;
  readonly socketId?: string;
}

/** A subscriber of the open channel. */
export interface ShownSubscriber extends LiveSubscriber {
  /** The position of the last event that its node has delivered. */
  readonly newest: string | undefined;
}

/** A line of the event stream with a number, by which the page tells lines apart. */
export interface NumberedEntry extends EventLine {
  readonly n: number;
}

/** Whether a line tells of something that was refused. */
export function isRefusal({ kind }: EventLine): boolean {
  return kind.endsWith('Refused');
}

/** The live data of the app. The broker sends it over our own client. */
export class Live {
  readonly series = new Series();
  /** The newest first. */
  entries: readonly NumberedEntry[] = [];
  /** Lines that the broker left out, because there were too many. */
  dropped = 0;
  state: ConnectionState = 'initialized';
  /** Refusals since the user last looked at the events. */
  unseenRefusals = 0;
  /** Refusals in groups, those with the latest news first. */
  refusals: readonly RefusalGroup[] = [];
  /** Unix milliseconds of the last figures, if what the page shows is old; `undefined` while it is live. */
  staleSince: number | undefined;
  #lastFiguresAt = Date.now();
  #staleTimer: ReturnType<typeof setTimeout> | undefined;
  #client: Countersign | undefined;
  #count = 0;
  #isLooking = false;
  readonly #refusalGroups = new RefusalGroups();
  /** The open connection, as its node last told of it. */
  connection: ConnectionReport | undefined;
  /** Unix milliseconds at which it did so. */
  connectionAt = 0;
  #watched: Watched = {};
  #range: ChartRange | undefined;
  /** The subscribers of the open channel, by node. */
  readonly #subscribers = new Map<string, ChannelSubscribers>();
  readonly #listeners = new Set<() => void>();
  readonly #onSignedOut: () => void;
  readonly #watchTimer: ReturnType<typeof setInterval>;
  #renewal: ReturnType<typeof setTimeout> | undefined;

  constructor(session: SessionView, onSignedOut: () => void) {
    this.#onSignedOut = onSignedOut;
    this.#awaitFigures();
    this.#connect(session);
    this.#watchTimer = setInterval(this.#sendWatch, WATCH_MS);
    document.addEventListener('visibilitychange', this.#sendWatch);
  }

  get socketId(): string | undefined {
    return this.#client?.connection.socket_id;
  }

  /** The subscribers of the open channel, the longest connected first, and their number. */
  get subscribers(): { readonly total: number; readonly list: readonly ShownSubscriber[] } {
    const reports = [...this.#subscribers.values()];
    return {
      total: reports.reduce((total, report) => total + report.total, 0),
      list: reports
        .flatMap(({ subscribers, newest }) => subscribers.map((each) => ({ ...each, newest })))
        .sort((a, b) => a.since - b.since),
    };
  }

  /** Calls the listener at each change. @returns a function that removes it */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The user looks at the events until the returned function is called. */
  look(): () => void {
    this.#isLooking = true;
    this.unseenRefusals = 0;
    this.#changed();
    return () => {
      this.#isLooking = false;
    };
  }

  /** Opens one channel or connection, of which the broker then tells, or none. */
  watch(watched: Watched): void {
    this.#watched = watched;
    this.#subscribers.clear();
    this.connection = undefined;
    this.#sendWatch();
  }

  /** Shows the past, which the broker then sends, or no charts. */
  showPast(range: ChartRange | undefined): void {
    this.#range = range;
    this.#sendWatch();
  }

  close(): void {
    clearInterval(this.#watchTimer);
    clearTimeout(this.#renewal);
    clearTimeout(this.#staleTimer);
    document.removeEventListener('visibilitychange', this.#sendWatch);
    this.#listeners.clear();
    this.#client?.connection.unbind();
    this.#client?.disconnect();
  }

  #connect({ live }: SessionView): void {
    const secure = location.protocol === 'https:';
    const client = new Countersign(live.key, {
      host: location.hostname,
      port: location.port || (secure ? 443 : 80),
      // The path in front of the console's own folder.
      path: new URL('..', location.href).pathname.slice(0, -1),
      forceTLS: false,
      channelAuthorization: { endpoint: 'api/live', headers: OWN_HEADER, batch: false },
    });
    this.#client = client;
    client.connection.bind('state_change', ({ previous, current }) => {
      this.state = current;
      if (previous === 'connected') this.#setStale();
      if (current === 'disconnected') this.#renewSoon();
      this.#changed();
    });
    const channel = client.subscribe(live.channel);
    channel.bind('pusher:subscription_succeeded', this.#sendWatch);
    channel.bind('pusher:subscription_error', () => this.#renewSoon());
    channel.bind('figures', (figures: Figures) => {
      this.series.add(figures);
      this.#lastFiguresAt = Date.now();
      this.staleSince = undefined;
      this.#awaitFigures();
      this.#changed();
    });
    channel.bind('past', (past: Past) => {
      this.series.addPast(past);
      this.#changed();
    });
    channel.bind('entries', ({ entries, dropped }: EventLines) => this.#add(entries, dropped));
    channel.bind('connection', (report: ConnectionReport) => {
      if (report.socketId !== this.#watched.socketId) return;
      this.connection = report;
      this.connectionAt = Date.now();
      this.#changed();
    });
    channel.bind('subscribers', (report: ChannelSubscribers) => {
      if (report.channel !== this.#watched.channel) return;
      this.#subscribers.set(report.node, report);
      this.#changed();
    });
  }

  #awaitFigures(): void {
    clearTimeout(this.#staleTimer);
    this.#staleTimer = setTimeout(() => {
      this.#setStale();
      this.#changed();
    }, STALE_MS);
  }

  #setStale(): void {
    this.staleSince = this.#lastFiguresAt;
  }

  #add(entries: readonly EventLine[], dropped: number): void {
    const numbered = entries.map((entry) => ({ ...entry, n: ++this.#count }));
    this.entries = [...numbered.reverse(), ...this.entries].slice(0, MAX_ENTRIES);
    const refused = entries.filter(isRefusal);
    for (const entry of refused) this.#refusalGroups.add(entry);
    if (refused.length > 0) this.refusals = this.#refusalGroups.list;
    if (!this.#isLooking) this.unseenRefusals += refused.length;
    this.dropped += dropped;
    this.#changed();
  }

  readonly #sendWatch = (): void => {
    if (document.hidden) return;
    const range = this.#range === '2m' ? undefined : this.#range;
    api.watch({ ...this.#watched, range }).catch((error: unknown) => this.#failed(error));
  };

  /** Connects again with a new session view: the broker has restarted, or its apps have changed. */
  #renewSoon(): void {
    clearTimeout(this.#renewal);
    this.#renewal = setTimeout(() => {
      api.session().then(
        (session) => {
          this.#client?.connection.unbind();
          this.#client?.disconnect();
          this.#connect(session);
        },
        (error: unknown) => {
          if (!this.#failed(error)) this.#renewSoon();
        },
      );
    }, RENEW_MS);
  }

  /** @returns whether the session has ended */
  #failed(error: unknown): boolean {
    const hasEnded = error instanceof ApiFailure && error.status === 401;
    if (hasEnded) this.#onSignedOut();
    return hasEnded;
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
