import { type ConnectionState, Countersign } from '@countersign/sdk-client';
import { ApiFailure, api, OWN_HEADER } from './api.ts';
import { Series } from './series.ts';
import type { Entries, Entry, Figures, Session, Subscriber, Subscribers } from './wire.ts';

/** Lines that the event stream keeps. */
const MAX_ENTRIES = 500;
/** Milliseconds between two signs that somebody watches; the broker waits for 25 seconds. */
const WATCH_MS = 10_000;
/** Milliseconds before a connection that was sent away is made anew. */
const RENEW_MS = 2000;

/** A line with a number of its own, so that the page can tell lines apart. */
export interface NumberedEntry extends Entry {
  readonly n: number;
}

/** What happens in the app right now, told by the broker over our own client. */
export class Live {
  readonly series = new Series();
  /** The newest first. */
  entries: readonly NumberedEntry[] = [];
  /** Lines that were too many to be told. */
  dropped = 0;
  state: ConnectionState = 'initialized';
  #client: Countersign | undefined;
  #count = 0;
  #channel: string | undefined;
  /** The subscribers of the watched channel, by node. */
  readonly #subscribers = new Map<string, Subscribers>();
  readonly #listeners = new Set<() => void>();
  readonly #onSignedOut: () => void;
  readonly #beat: ReturnType<typeof setInterval>;
  #renewal: ReturnType<typeof setTimeout> | undefined;

  constructor(session: Session, onSignedOut: () => void) {
    this.#onSignedOut = onSignedOut;
    this.#connect(session);
    this.#beat = setInterval(this.#sayWatching, WATCH_MS);
    document.addEventListener('visibilitychange', this.#sayWatching);
  }

  get socketId(): string | undefined {
    return this.#client?.connection.socket_id;
  }

  /** Whom the watched channel has, the longest there first, and how many there are. */
  get subscribers(): { readonly total: number; readonly list: readonly Subscriber[] } {
    const reports = [...this.#subscribers.values()];
    return {
      total: reports.reduce((total, report) => total + report.total, 0),
      list: reports.flatMap(({ subscribers }) => subscribers).sort((a, b) => a.since - b.since),
    };
  }

  /** Calls back at each change; returns its undo. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Looks at one channel closely, or at none. */
  watch(channel: string | undefined): void {
    this.#channel = channel;
    this.#subscribers.clear();
    this.#sayWatching();
  }

  close(): void {
    clearInterval(this.#beat);
    clearTimeout(this.#renewal);
    document.removeEventListener('visibilitychange', this.#sayWatching);
    this.#listeners.clear();
    this.#client?.connection.unbind();
    this.#client?.disconnect();
  }

  #connect({ live }: Session): void {
    const secure = location.protocol === 'https:';
    const client = new Countersign(live.key, {
      host: location.hostname,
      port: location.port || (secure ? 443 : 80),
      // What stands in front of the console's own folder.
      path: new URL('..', location.href).pathname.slice(0, -1),
      forceTLS: false,
      channelAuthorization: { endpoint: 'api/live', headers: OWN_HEADER, batch: false },
    });
    this.#client = client;
    client.connection.bind('state_change', ({ current }) => {
      this.state = current;
      if (current === 'disconnected') this.#renewSoon();
      this.#changed();
    });
    const channel = client.subscribe(live.channel);
    channel.bind('pusher:subscription_succeeded', this.#sayWatching);
    channel.bind('pusher:subscription_error', () => this.#renewSoon());
    channel.bind('figures', (figures: Figures) => {
      this.series.add(figures);
      this.#changed();
    });
    channel.bind('entries', ({ entries, dropped }: Entries) => this.#take(entries, dropped));
    channel.bind('subscribers', (report: Subscribers) => {
      if (report.channel !== this.#channel) return;
      this.#subscribers.set(report.node, report);
      this.#changed();
    });
  }

  #take(entries: readonly Entry[], dropped: number): void {
    const numbered = entries.map((entry) => ({ ...entry, n: ++this.#count }));
    this.entries = [...numbered.reverse(), ...this.entries].slice(0, MAX_ENTRIES);
    this.dropped += dropped;
    this.#changed();
  }

  readonly #sayWatching = (): void => {
    if (document.hidden) return;
    api.watch(this.#channel).catch((error: unknown) => this.#failed(error));
  };

  /** The broker has sent this page away: it has restarted, or its apps have changed. */
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

  /** @returns whether the session is over */
  #failed(error: unknown): boolean {
    const isOver = error instanceof ApiFailure && error.status === 401;
    if (isOver) this.#onSignedOut();
    return isOver;
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
