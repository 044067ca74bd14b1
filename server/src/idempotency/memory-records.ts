import { z } from 'zod';
import type { Notes } from '../history/durable.ts';
import type { Position } from '../history/history.ts';
import type { IdempotencyRecords, KeyedRequest, Progress, RecordBounds, RecordCounts } from './records.ts';

const storedSchema = z.object({
  fingerprint: z.string(),
  published: z.array(z.tuple([z.string(), z.string().nullish()])),
  answer: z.string().optional(),
});

/** Bytes that a record counts with, beside its channels and its answer. */
const OVERHEAD = 300;
/** Bytes that a channel counts with, beside its name. */
const CHANNEL_OVERHEAD = 50;

/** One event of a request. Most requests have one, so this is a chain: a list takes five times the memory. */
interface PublishedEvent {
  readonly channel: string;
  readonly position: Position | undefined;
  readonly before: PublishedEvent | undefined;
}

interface Record {
  readonly fingerprint: string;
  /** The last one of its events that is published. */
  published: PublishedEvent | undefined;
  answer: string | undefined;
  isRunning: boolean;
  bytes: number;
  /** Monotonic milliseconds, whole, which take the least memory. */
  readonly until: number;
}

interface AppRecords {
  /** By id, oldest first. */
  readonly byId: Map<string, Record>;
  readonly counts: RecordCounts;
}

/** The records of all apps, in this process. */
export class MemoryRecords implements IdempotencyRecords {
  readonly #bounds: RecordBounds;
  readonly #monotonic: () => number;
  readonly #notes: Notes | undefined;
  readonly #apps = new Map<string, AppRecords>();

  /**
   * @param monotonic milliseconds of a monotonic clock
   * @param notes where they outlive the process
   */
  constructor(bounds: RecordBounds, monotonic: () => number, notes?: Notes) {
    this.#bounds = bounds;
    this.#monotonic = monotonic;
    this.#notes = notes;
  }

  /** Takes over what was stored of an app. */
  restore(appId: string, id: string, body: string, until: number): void {
    const { fingerprint, published, answer } = storedSchema.parse(JSON.parse(body));
    const app = this.#open(appId);
    const channels = published.map(([name]) => name);
    this.#add(app, { id, fingerprint, channels, hasAnswer: false }, until);
    const record = app.byId.get(id)!;
    for (const [channel, position] of published)
      record.published = { channel, position: position ?? undefined, before: record.published };
    if (answer !== undefined) this.#answer(app, record, answer);
    this.#enforceBounds(appId, app);
  }

  async begin(
    appId: string,
    requests: readonly KeyedRequest[],
    seconds: number,
  ): Promise<readonly Progress[] | 'mismatch'> {
    const app = this.#open(appId);
    this.#expire(app);
    const isOther = ({ id, fingerprint }: KeyedRequest) =>
      (app.byId.get(id)?.fingerprint ?? fingerprint) !== fingerprint;
    if (requests.some(isOther)) return 'mismatch';
    const until = Math.ceil(this.#monotonic() + seconds * 1000);
    const progress = requests.map((request) => this.#begin(app, request, until));
    this.#enforceBounds(appId, app);
    // An answer that is repeated is stored first, like the one that was given.
    if (progress.some((each) => typeof each === 'object')) await this.#notes?.settled(appId);
    return progress;
  }

  async end(appId: string, id: string, answer: string | undefined): Promise<void> {
    const app = this.#apps.get(appId);
    const record = app?.byId.get(id);
    if (!app || !record) return;
    record.isRunning = false;
    if (answer === undefined) return;
    this.#answer(app, record, answer);
    this.#note(appId, id, record);
    this.#enforceBounds(appId, app);
    await this.#notes?.settled(appId);
  }

  /** The event that a request has published to a channel. */
  published(
    appId: string,
    id: string,
    channel: string,
  ): { readonly position: Position | undefined } | undefined {
    let event = this.#apps.get(appId)?.byId.get(id)?.published;
    while (event && event.channel !== channel) event = event.before;
    return event;
  }

  /** Records that a request has published an event to a channel. */
  add(appId: string, id: string, channel: string, position: Position | undefined): void {
    const record = this.#apps.get(appId)?.byId.get(id);
    if (!record) return;
    record.published = { channel, position, before: record.published };
    this.#note(appId, id, record);
  }

  #note(appId: string, id: string, record: Record): void {
    this.#notes?.set(appId, 'publish', id, record.until, () => {
      const { fingerprint, answer } = record;
      const published: [channel: string, position: Position | undefined][] = [];
      for (let event = record.published; event; event = event.before)
        published.push([event.channel, event.position]);
      return JSON.stringify({ fingerprint, published, answer });
    });
  }

  #answer({ counts }: AppRecords, record: Record, answer: string): void {
    const bytes = Buffer.byteLength(answer);
    record.answer = answer;
    record.bytes += bytes;
    counts.bytes += bytes;
  }

  forgetApp(appId: string): void {
    const app = this.#apps.get(appId);
    if (!app) return;
    for (const [id, record] of app.byId) this.#drop(app, id, record);
    this.#apps.delete(appId);
  }

  /** Forgets what has expired. */
  sweep(): void {
    for (const [appId, app] of this.#apps) {
      this.#expire(app);
      if (app.byId.size === 0) this.#apps.delete(appId);
    }
  }

  #begin(app: AppRecords, request: KeyedRequest, until: number): Progress {
    const { id, hasAnswer } = request;
    const known = app.byId.get(id);
    if (known?.answer !== undefined) return { answer: known.answer };
    if (known) {
      if (known.isRunning) return 'running';
      known.isRunning = hasAnswer;
      return 'open';
    }
    this.#add(app, request, until);
    return 'open';
  }

  #add(app: AppRecords, { id, fingerprint, channels, hasAnswer }: KeyedRequest, until: number): void {
    const bytes = channels.reduce((sum, name) => sum + name.length + CHANNEL_OVERHEAD, OVERHEAD);
    app.byId.set(id, {
      fingerprint,
      published: undefined,
      answer: undefined,
      isRunning: hasAnswer,
      bytes,
      until,
    });
    app.counts.records += 1;
    app.counts.bytes += bytes;
  }

  #open(appId: string): AppRecords {
    let app = this.#apps.get(appId);
    if (!app) {
      app = { byId: new Map(), counts: this.#bounds.countsOf(appId) };
      this.#apps.set(appId, app);
    }
    return app;
  }

  #expire(app: AppRecords): void {
    const now = this.#monotonic();
    for (const [id, record] of app.byId) {
      if (record.until > now) return;
      this.#drop(app, id, record);
    }
  }

  #enforceBounds(appId: string, app: AppRecords): void {
    const { records, bytes } = this.#bounds.boundsOf(appId);
    for (const [id, record] of app.byId) {
      if (app.byId.size <= records && app.counts.bytes <= bytes) return;
      this.#drop(app, id, record);
      this.#notes?.delete(appId, 'publish', id);
      app.counts.evicted += 1;
      this.#bounds.onBound?.(appId);
    }
  }

  #drop({ byId, counts }: AppRecords, id: string, { bytes }: Record): void {
    byId.delete(id);
    counts.records -= 1;
    counts.bytes -= bytes;
  }
}
