import type { Logger } from 'pino';
import { DeadlineQueue } from '../access/deadline-queue.ts';
import type { EndingRight, Renewer } from '../access/renewer.ts';
import type { App } from '../apps/app.ts';
import { OutageLog } from '../log/outage-log.ts';
import type { Metrics } from '../metrics.ts';
import { OutboundClient } from '../outbound/http-client.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { BackendLane } from './backend-lane.ts';
import { Question } from './question.ts';

export interface BackendRenewalsParts {
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Monotonic milliseconds. */
  readonly monotonic: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
  /** `public`: no backend is asked whose address is not one of the public internet. */
  readonly addresses: 'public' | 'any';
  /** `undefined`: nothing is traced. */
  readonly tracing: Tracing | undefined;
}

const TIMEOUT_MS = 4000;
/** Bytes of an answer: about 200 grants with large members. */
const ANSWER_BYTES = 1_048_576;

/** Asks the backends of apps about rights that are about to end: each process about those of its own connections. */
export class BackendRenewals implements Renewer {
  readonly #parts: BackendRenewalsParts;
  readonly #client: OutboundClient;
  /** The pauses after failures. */
  readonly #pauses: DeadlineQueue;
  /** By URL: apps may have the same backend. */
  readonly #lanes = new Map<string, BackendLane>();
  readonly #outages = new WeakMap<App, OutageLog>();

  constructor(parts: BackendRenewalsParts) {
    this.#parts = parts;
    this.#pauses = new DeadlineQueue(parts.monotonic);
    this.#client = new OutboundClient({
      addresses: parts.addresses,
      timeoutMs: TIMEOUT_MS,
      now: parts.now,
      keptBytes: ANSWER_BYTES,
    });
  }

  ask(right: EndingRight): void {
    this.#ask(new Question(right, (question) => this.#ask(question)));
  }

  /** Ends all requests. */
  close(): void {
    this.#pauses.close();
    this.#client.cutOff();
    this.#client.close();
    this.#lanes.clear();
  }

  #ask(question: Question): void {
    // A reload may have changed the URL, or turned renewal off.
    const url = question.right.app.renewal?.url;
    if (url === undefined) return;
    let lane = this.#lanes.get(url);
    if (!lane) {
      lane = new BackendLane(url, {
        ...this.#parts,
        client: this.#client,
        pauses: this.#pauses,
        outageOf: (app) => this.#outageOf(app),
        askElsewhere: (moved) => this.#ask(moved),
        onIdle: () => this.#lanes.delete(url),
      });
      this.#lanes.set(url, lane);
    }
    lane.add(question);
  }

  /** Outlives the lane, which is gone between two attempts. */
  #outageOf(app: App): OutageLog {
    let outage = this.#outages.get(app);
    if (!outage) {
      const log = this.#parts.log.child({ appId: app.id });
      outage = new OutageLog(log, 'backend does not renew grants', 'backend renews grants again');
      this.#outages.set(app, outage);
    }
    return outage;
  }
}
