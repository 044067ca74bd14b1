import type { IncomingMessage, ServerResponse } from 'node:http';
import type { App } from '../apps/app.ts';
import { ApiError } from '../errors.ts';
import { readBody } from '../http/body.ts';
import { splitTarget } from '../http/target.ts';
import { increment, reached } from '../metrics.ts';
import type { Answers } from './answers.ts';
import { type Authenticated, authenticate, checkBody } from './authenticate.ts';
import type { ApiContext } from './context.ts';
import type { Endpoint } from './endpoint.ts';
import { RefusalLimit } from './refusal-limit.ts';
import { RequestQuota } from './request-quota.ts';

/** What a path names. */
export interface Names {
  readonly appId: string;
  /** The channel or user; empty where there is none. */
  readonly subject: string;
}

/** What every request of an app goes through, whichever way it came in: signature, body, limits, endpoint, answer. */
export class Service {
  readonly #parts: ApiContext;
  readonly #answers: Answers;
  readonly #quota: RequestQuota;
  readonly #refusals: RefusalLimit;
  #inProgress = 0;
  #idle: (() => void) | undefined;

  constructor(parts: ApiContext, answers: Answers) {
    const { adapter, config, addressOf, monotonic } = parts;
    this.#parts = parts;
    this.#answers = answers;
    this.#quota = new RequestQuota(adapter.counters, monotonic);
    this.#refusals = new RefusalLimit(adapter.counters, config.failedAuthenticationsPerMinute, addressOf);
  }

  /** Never rejects: whatever goes wrong is answered. */
  async serve(
    request: IncomingMessage,
    response: ServerResponse,
    endpoint: Endpoint,
    { appId, subject }: Names,
  ): Promise<void> {
    const { apps, hub, adapter, webhooks, now, metrics, log } = this.#parts;
    let status = 200;
    this.#inProgress += 1;
    try {
      const judged = this.#judge(request, appId);
      // For somebody who has proved nothing no body is kept: many of them would fill the memory.
      const body = await readBody(request, !(judged instanceof ApiError));
      const caller = judged instanceof ApiError ? judged : checkBody(judged, body);
      if (caller instanceof ApiError) throw await this.#countRefusal(caller, request, response);
      const { app, key, query } = caller;
      // The body may have taken long, and the key may be gone by now.
      if (apps.byId(appId) !== app || !app.accepts(key))
        throw new ApiError(401, 'The key that signed the request was removed');
      refuseDisabled(app);
      app.keyUses.count(key.name, 'requests', now());
      await this.#quota.admit(app);
      const result = await endpoint.run({
        app,
        subject,
        query,
        body,
        hub,
        adapter,
        webhooks,
        now,
        reached: (bound) => reached(metrics, log, bound, { appId: app.id }),
      });
      this.#answers.send(request, response, status, result);
    } catch (error) {
      status = this.#answers.refuse(request, response, error);
      this.#tell(request, appId, error);
    }
    this.#count(endpoint, appId, status);
    this.#inProgress -= 1;
    if (this.#inProgress === 0) this.#idle?.();
  }

  /** Resolves when no request is in progress; no new ones may come by then. */
  async close(): Promise<void> {
    if (this.#inProgress === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }

  /**
   * Counts a request that was refused because it proved nothing; a query that cannot be read says nothing of who asks.
   *
   * @returns the refusal
   * @throws ApiError 429 past the limit of its address
   */
  async #countRefusal(
    refusal: ApiError,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<ApiError> {
    if (refusal.status !== 400) await this.#refusals.refuse(request, response);
    return refusal;
  }

  /** Decides about all of a request but its body. */
  #judge(request: IncomingMessage, appId: string): Authenticated | ApiError {
    const { config, apps, now } = this.#parts;
    const { path, rawQuery } = splitTarget(request.url ?? '');
    const signed = { method: request.method ?? '', path, rawQuery, appId };
    try {
      return authenticate(signed, { apps, pathPrefix: config.pathPrefix, now });
    } catch (error) {
      if (error instanceof ApiError) return error;
      throw error;
    }
  }

  /** Tells whoever watches the app why a request was refused. */
  #tell(request: IncomingMessage, appId: string, error: unknown): void {
    if (!(error instanceof ApiError)) return;
    const { method = '', url = '' } = request;
    const { status, message: reason } = error;
    const { path } = splitTarget(url);
    this.#parts.apps.byId(appId)?.observer?.observe({ kind: 'requestRefused', method, path, status, reason });
  }

  /** Only under the ids of apps that exist, of which there are few. */
  #count({ publishes }: Endpoint, appId: string, status: number): void {
    const { apps, metrics } = this.#parts;
    if (!apps.byId(appId)) return;
    const counts = metrics.app(appId);
    if (publishes) increment(counts.publishes, status);
    if (status === 429) counts.rateLimitHits += 1;
  }
}

/** @throws ApiError 403 if nobody may ask anything of the app */
export function refuseDisabled({ enabled }: App): void {
  if (!enabled) throw new ApiError(403, 'The app is disabled: enable it in the configuration of the broker');
}
