import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Request, Response } from 'express';
import {
  type IncrementResponse,
  ipKeyGenerator,
  MINUTE,
  type Options,
  type RateLimitRequestHandler,
  rateLimit,
  type Store,
} from 'express-rate-limit';
import type { Counters } from '../../adapter/adapter.ts';
import { ApiError } from '../../errors.ts';

/** Counts for express-rate-limit what all nodes count together. */
class CounterStore implements Store {
  #windowMs = MINUTE;

  /** @param name sets the keys of one limit apart from those of another */
  constructor(
    private readonly counters: Counters,
    private readonly name: string,
  ) {}

  init({ windowMs }: Options): void {
    this.#windowMs = windowMs;
  }

  async increment(key: string): Promise<IncrementResponse> {
    const { hits, leftMs } = await this.counters.hit(`${this.name}:${key}`, this.#windowMs);
    // The limiter reads the same clock at once, so only the difference counts.
    return { totalHits: hits, resetTime: new Date(Date.now() + leftMs) };
  }

  /** Asked for only where some requests do not count; here each one does. */
  decrement(): void {}

  /** Windows end by themselves. */
  resetKey(): void {}
}

/** How often an address may be refused. */
export class RefusalLimit {
  readonly #refusals: RateLimitRequestHandler | undefined;

  /** @param refusalsPerMinute per client address; null: no limit */
  constructor(
    counters: Counters,
    refusalsPerMinute: number | null,
    addressOf: (request: IncomingMessage) => string,
  ) {
    if (refusalsPerMinute === null) return;
    this.#refusals = limiter(new CounterStore(counters, 'api-refusals'), {
      windowMs: MINUTE,
      limit: refusalsPerMinute,
      keyGenerator: (request) => ipKeyGenerator(addressOf(request)),
      refusal:
        'Too many refused requests from this address: check the key, secret and clock, and try again later',
    });
  }

  /**
   * Counts one request that proved nothing.
   *
   * @throws ApiError 429 past the limit of its address
   */
  async refuse(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#refusals) await ask(this.#refusals, request, response);
  }
}

interface LimiterOptions extends Pick<Options, 'windowMs' | 'limit' | 'keyGenerator'> {
  /** What the answer says. */
  readonly refusal: string;
}

function limiter(store: Store, { refusal, ...options }: LimiterOptions): RateLimitRequestHandler {
  return rateLimit({
    ...options,
    store,
    handler: (_request, _response, next) => next(new ApiError(429, 'too_many_refused_requests', refusal)),
    // They look for mistakes in an express application, and there is none here.
    validate: false,
  });
}

/** Asks a limiter outside of express: it sets its headers, and reads nothing that only express has. */
function ask(
  limit: RateLimitRequestHandler,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  return new Promise((resolve, reject) => {
    limit(request as Request, response as Response, (error?: unknown) => (error ? reject(error) : resolve()));
  });
}
