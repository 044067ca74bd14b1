import type { DeadlineQueue } from '../access/deadline-queue.ts';
import type { App } from '../apps/app.ts';
import { type BackoffRange, backoffMs } from '../async/backoff.ts';
import type { OutageLog } from '../log/outage-log.ts';
import { increment, type Metrics } from '../metrics.ts';
import type { Answer, OutboundClient } from '../outbound/http-client.ts';
import { tracedPost } from '../outbound/traced-post.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { type RenewalAnswer, readAnswer } from './answer.ts';
import type { Question } from './question.ts';
import { MAX_BYTES, MAX_RIGHTS, renewalRequest } from './renewal-request.ts';

export interface BackendLaneParts {
  readonly client: OutboundClient;
  /** Where questions wait after a failure. */
  readonly pauses: DeadlineQueue;
  readonly metrics: Metrics;
  readonly now: () => number;
  readonly monotonic: () => number;
  readonly random: () => number;
  readonly tracing: Tracing | undefined;
  /** The log of one app's failures. */
  readonly outageOf: (app: App) => OutageLog;
  /** Called with a question of an app that a reload has given another URL. */
  readonly askElsewhere: (question: Question) => void;
  /** Called when it has nothing to ask and no request under way. */
  readonly onIdle: () => void;
}

const MAX_REQUESTS = 4;
const PAUSES: BackoffRange = { firstMs: 1000, mostMs: 15_000 };
/** For how long a backend may ask to be left alone. */
const MAX_RETRY_AFTER_MS = 60_000;

/** The questions for one URL, and its requests. */
export class BackendLane {
  readonly #url: string;
  readonly #parts: BackendLaneParts;
  /** Questions that wait for a request, oldest first: a request is about one app, whose secret signs it. */
  readonly #waiting = new Map<App, Set<Question>>();
  #requests = 0;
  #isScheduled = false;

  constructor(url: string, parts: BackendLaneParts) {
    this.#url = url;
    this.#parts = parts;
  }

  add(question: Question): void {
    const { app } = question.right;
    const waiting = this.#waiting.get(app) ?? new Set();
    this.#waiting.set(app, waiting.add(question));
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // What comes due in the same turn of the event loop shares a request.
    setImmediate(() => {
      this.#isScheduled = false;
      this.#work();
    });
  }

  #work(): void {
    while (this.#requests < MAX_REQUESTS) {
      const [next] = this.#waiting;
      if (!next) break;
      const [app, waiting] = next;
      const questions = this.#take(waiting);
      // The next request is about another app, if there is one.
      this.#waiting.delete(app);
      if (waiting.size > 0) this.#waiting.set(app, waiting);
      if (questions.length > 0) void this.#ask(app, questions);
    }
    if (this.#requests === 0 && this.#waiting.size === 0 && !this.#isScheduled) this.#parts.onIdle();
  }

  /** Takes as many questions as fit into a request, without those that are over. */
  #take(waiting: Set<Question>): [question: Question, json: string][] {
    const taken: [Question, string][] = [];
    let bytes = 0;
    for (const question of waiting) {
      if (taken.length === MAX_RIGHTS) break;
      if (!question.isOver(this.#parts.monotonic())) {
        const json = JSON.stringify(question.right.describe());
        bytes += Buffer.byteLength(json);
        if (bytes > MAX_BYTES && taken.length > 0) break;
        taken.push([question, json]);
      }
      waiting.delete(question);
    }
    return taken;
  }

  async #ask(app: App, asked: readonly (readonly [question: Question, json: string])[]): Promise<void> {
    const { client, now, metrics, tracing } = this.#parts;
    const questions = asked.map(([question]) => question);
    const settings = app.renewal;
    if (settings?.url !== this.#url) return questions.forEach(this.#parts.askElsewhere);
    this.#requests += 1;
    try {
      const { headers, body } = renewalRequest(
        settings,
        asked.map(([, json]) => json),
        now(),
      );
      const answer = await tracedPost(client, tracing, {
        name: 'renew grants',
        attributes: { 'countersign.app.id': app.id, 'countersign.grants': asked.length },
        causes: [],
        url: this.#url,
        headers,
        body,
      });
      if (!answer) return;
      increment(metrics.app(app.id).renewalRequests, answer.outcome);
      await this.#settle(app, questions, answer);
    } finally {
      this.#requests -= 1;
      this.#work();
    }
  }

  async #settle(app: App, questions: readonly Question[], answer: Answer): Promise<void> {
    const { outcome, status, text, retryAfterMs = 0 } = answer;
    const outage = this.#parts.outageOf(app);
    const answers = outcome === 'delivered' ? readAnswer(text, questions.length) : problemOf(answer);
    if (typeof answers === 'string') {
      outage.failed(answers, { outcome, status });
      for (const question of questions) this.#retry(app, question, retryAfterMs);
      return;
    }
    const problems = await Promise.all(
      answers.map((each, index) => this.#apply(app, questions[index]!, each)),
    );
    const problem = problems.find((each) => each !== undefined);
    if (problem === undefined) outage.succeeded();
    else outage.failed(problem, { outcome, status });
  }

  /** @returns why the answer is not valid */
  async #apply(app: App, question: Question, answer: RenewalAnswer): Promise<string | undefined> {
    const { right } = question;
    const { renewals } = this.#parts.metrics.app(app.id);
    if (right.isOver) return undefined;
    if (answer.kind === 'refused') {
      increment(renewals, 'refused');
      right.refuse(answer.reason);
      return undefined;
    }
    let problem: string;
    if (answer.kind === 'granted') {
      try {
        await right.renew(answer.proof);
        increment(renewals, 'renewed');
        return undefined;
      } catch (error) {
        if (right.isOver) return undefined;
        problem = `the grant is refused: ${error instanceof Error ? error.message : error}`;
      }
    } else {
      problem = answer.problem;
    }
    this.#retry(app, question, 0);
    return problem;
  }

  #retry(app: App, question: Question, retryAfterMs: number): void {
    const { metrics, monotonic, random, pauses } = this.#parts;
    increment(metrics.app(app.id).renewals, 'failed');
    question.failures += 1;
    const pause = Math.max(
      backoffMs(question.failures, random(), PAUSES),
      Math.min(retryAfterMs, MAX_RETRY_AFTER_MS),
    );
    const at = monotonic() + pause;
    if (at < question.right.askedUntil) pauses.set(question, at);
  }
}

function problemOf({ status, text }: Answer): string {
  return status === null ? text : `the backend answered with status ${status}`;
}
