import { bytesOf } from '../delivery-counts.ts';
import type { EventPage } from '../outbox.ts';
import { Stock, type StockBounds } from '../stock.ts';

interface AppLog {
  lastSeq: number;
  /** By `seq`, without a gap. */
  readonly events: Map<number, { readonly committedAt: number; readonly body: string }>;
}

/** The latest committed events of each app, in this process. */
export class MemoryLog {
  readonly #logs = new Map<string, AppLog>();
  readonly #stock: Stock<string>;
  readonly #forgot: (appId: string) => void;

  /** @param forgot is told of each event that had to go because there were too many */
  constructor(bounds: StockBounds, forgot: (appId: string) => void) {
    this.#stock = new Stock(bounds);
    this.#forgot = forgot;
  }

  /** The `seq` of the next event of an app. */
  nextSeq(appId: string): number {
    return this.#log(appId).lastSeq + 1;
  }

  bytesOf(appId: string): number {
    return this.#stock.bytesOf(appId);
  }

  append(appId: string, body: string, committedAt: number): void {
    const log = this.#log(appId);
    log.lastSeq += 1;
    log.events.set(log.lastSeq, { committedAt, body });
    this.#stock.add(appId, 1, bytesOf(body));
    for (let owner = this.#stock.excess(appId); owner !== undefined; owner = this.#stock.excess(appId)) {
      this.#forgetFirst(owner);
      this.#forgot(owner);
    }
  }

  read(appId: string, afterSeq: number, limit: number): EventPage {
    const { lastSeq, events } = this.#log(appId);
    const found: string[] = [];
    const from = Math.max(afterSeq, lastSeq - events.size) + 1;
    for (let seq = from; seq <= lastSeq && found.length < limit; seq += 1) {
      found.push(events.get(seq)?.body ?? '');
    }
    return { events: found, lastSeq };
  }

  /** Forgets what was committed before a time. */
  sweep(before: number): void {
    for (const [appId, { events }] of this.#logs) {
      for (const { committedAt } of events.values()) {
        if (committedAt >= before) break;
        this.#forgetFirst(appId);
      }
    }
  }

  #forgetFirst(appId: string): void {
    const { lastSeq, events } = this.#log(appId);
    const seq = lastSeq - events.size + 1;
    this.#stock.add(appId, -1, -bytesOf(events.get(seq)?.body ?? ''));
    events.delete(seq);
  }

  #log(appId: string): AppLog {
    let log = this.#logs.get(appId);
    if (!log) {
      log = { lastSeq: 0, events: new Map() };
      this.#logs.set(appId, log);
    }
    return log;
  }
}
