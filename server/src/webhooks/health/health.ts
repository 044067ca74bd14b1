import type { Hook, HookKey } from '../../apps/hook.ts';
import type { Answer, Outcome } from '../../outbound/http-client.ts';
import type { SignedRequest } from '../delivery/signed-request.ts';
import type { Delivery } from '../outbox/outbox.ts';
import { Latencies } from './latencies.ts';

/** How the requests of a hook fared in the last 24 hours, as far as this process has sent them. */
export interface HookHealth {
  readonly total: Fared;
  /** Those in which something was sent, the oldest first. */
  readonly steps: readonly Step[];
  /** The last ones, the newest first. */
  readonly attempts: readonly LoggedAttempt[];
}

/** What became of some requests. */
export interface Fared {
  readonly delivered: number;
  readonly failed: number;
  /** Milliseconds within which half of them, and 95 of 100, were answered; `null` if none was. */
  readonly p50: number | null;
  readonly p95: number | null;
}

export interface Step extends Fared {
  /** Its beginning in Unix milliseconds. */
  readonly at: number;
}

/** One attempt, successful or not. */
export interface LoggedAttempt {
  /** Counts the attempts of the hook. */
  readonly n: number;
  /** Unix milliseconds. */
  readonly at: number;
  /** How long it took. */
  readonly ms: number;
  /** The `webhook-id`. */
  readonly delivery: string;
  readonly lane: string;
  readonly events: number;
  readonly outcome: Outcome;
  readonly status: number | null;
  /** The beginning of the answer, or why there was none. */
  readonly answer: string;
  readonly request: SignedRequest;
}

const STEP_MS = 600_000;
const STEPS = 144;
/** Attempts of each hook that are kept. */
const MAX_ATTEMPTS = 30;
/** Characters of a request body that are kept. */
const MAX_BODY = 2000;
/** Hooks of which something is kept; the one that sent nothing for longest goes first. */
const MAX_HOOKS = 500;
const HIDDEN = '(hidden)';

interface CountedStep {
  readonly number: number;
  delivered: number;
  failed: number;
  readonly latencies: Latencies;
}

interface Kept {
  count: number;
  steps: CountedStep[];
  attempts: LoggedAttempt[];
}

/** Keeps what became of the attempts of each hook, in memory. */
export class HealthBook {
  readonly #hooks = new Map<HookKey, Kept>();
  readonly #now: () => number;

  /** @param now Unix milliseconds by the wall clock */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** @param ms how long the attempt took; it has just ended */
  add(hook: Hook, delivery: Delivery, request: SignedRequest, answer: Answer, ms: number): void {
    const kept = this.#hooks.get(hook.key) ?? { count: 0, steps: [], attempts: [] };
    this.#hooks.delete(hook.key);
    this.#hooks.set(hook.key, kept);
    const [oldest] = this.#hooks.keys();
    if (this.#hooks.size > MAX_HOOKS && oldest !== undefined) this.#hooks.delete(oldest);

    const { outcome, status, text } = answer;
    const step = this.#stepOf(kept);
    if (outcome === 'delivered') step.delivered += 1;
    else step.failed += 1;
    // A receiver that cannot be reached is neither fast nor slow.
    if (status !== null || outcome === 'timeout') step.latencies.add(ms);
    kept.count += 1;
    kept.attempts.unshift({
      n: kept.count,
      at: this.#now() - ms,
      ms,
      delivery: delivery.id,
      lane: delivery.lane,
      events: delivery.size,
      outcome,
      status,
      answer: text,
      request: shown(hook, request),
    });
    kept.attempts.length = Math.min(kept.attempts.length, MAX_ATTEMPTS);
  }

  of(key: HookKey): HookHealth {
    const kept = this.#hooks.get(key);
    const steps = kept ? this.#recent(kept) : [];
    const total = { delivered: 0, failed: 0, latencies: new Latencies() };
    for (const { delivered, failed, latencies } of steps) {
      total.delivered += delivered;
      total.failed += failed;
      total.latencies.merge(latencies);
    }
    return {
      total: faredOf(total),
      steps: steps.map((step) => ({ at: step.number * STEP_MS, ...faredOf(step) })),
      attempts: kept?.attempts ?? [],
    };
  }

  /** Forgets hooks that are not configured any more. */
  keep(hooks: ReadonlySet<HookKey>): void {
    for (const key of this.#hooks.keys()) if (!hooks.has(key)) this.#hooks.delete(key);
  }

  #stepOf(kept: Kept): CountedStep {
    const number = Math.floor(this.#now() / STEP_MS);
    const last = kept.steps.at(-1);
    // A clock that was set back goes on counting in the last step.
    if (last && last.number >= number) return last;
    const step = { number, delivered: 0, failed: 0, latencies: new Latencies() };
    kept.steps = [...this.#recent(kept), step];
    return step;
  }

  #recent({ steps }: Kept): CountedStep[] {
    const oldest = Math.floor(this.#now() / STEP_MS) - STEPS + 1;
    return steps.filter(({ number }) => number >= oldest);
  }
}

function faredOf({ delivered, failed, latencies }: Omit<CountedStep, 'number'>): Fared {
  return { delivered, failed, p50: latencies.quantile(0.5), p95: latencies.quantile(0.95) };
}

/** The request without the values of configured headers, which may be secrets. */
function shown(hook: Hook, { headers, body }: SignedRequest): SignedRequest {
  const hidden = Object.keys(hook.headers).map((name) => [name, HIDDEN] as const);
  return {
    headers: { ...headers, ...Object.fromEntries(hidden) },
    body: body.length > MAX_BODY ? `${body.slice(0, MAX_BODY)}…` : body,
  };
}
