import type { IncomingMessage, ServerResponse } from 'node:http';
import type { App } from '../apps/app.ts';
import type { AppKey } from '../apps/app-key.ts';
import { ApiError } from '../errors.ts';
import { dropBody, readBody } from '../http/body.ts';
import { splitTarget } from '../http/target.ts';
import { increment, reached } from '../metrics.ts';
import type { Answers } from './answers.ts';
import { type Authenticated, authenticate, checkBody } from './authenticate.ts';
import type { ApiContext } from './context.ts';
import { Accepted, type Endpoint, Repeated } from './endpoint.ts';
import { NonceCheck } from './nonce-check.ts';
import { RefusalLimit } from './refusal-limit.ts';
import { RequestQuota } from './request-quota.ts';
import { checkScope } from './scope.ts';

const NO_BODY = Buffer.alloc(0);
const REPEATED = { 'Idempotency-Replayed': 'true' };

/** What the path of a request names. */
export interface Target {
  readonly appId: string;
  /** The channel or user; empty where there is none. */
  readonly subject: string;
}

/** Serves the requests of apps: signature, body, limits, endpoint, answer. */
export class Service {
  readonly #context: ApiContext;
  readonly #answers: Answers;
  readonly #quota: RequestQuota;
  readonly #nonces: NonceCheck;
  readonly #refusals: RefusalLimit;
  #inProgress = 0;
  #idle: (() => void) | undefined;

  constructor(context: ApiContext, answers: Answers) {
    const { adapter, config, addressOf, monotonic, now } = context;
    this.#context = context;
    this.#answers = answers;
    this.#quota = new RequestQuota(adapter.counters, monotonic);
    this.#nonces = new NonceCheck(adapter.nonces, now);
    this.#refusals = new RefusalLimit(adapter.counters, config.failedAuthenticationsPerMinute, addressOf);
  }

  /** Never rejects: every error becomes an answer. */
  async serve(
    request: IncomingMessage,
    response: ServerResponse,
    endpoint: Endpoint,
    { appId, subject }: Target,
  ): Promise<void> {
    const { hub, adapter, webhooks, audit, now, keyUses, metrics, log } = this.#context;
    let status = 200;
    let spent: Authenticated | undefined;
    this.#inProgress += 1;
    try {
      const authenticated = this.#authenticate(request, appId);
      // The bodies of many callers without a valid signature would fill the memory.
      if (authenticated instanceof ApiError) await dropBody(request);
      const body = authenticated instanceof ApiError ? NO_BODY : await readBody(request);
      const caller = authenticated instanceof ApiError ? authenticated : checkBody(authenticated, body);
      if (caller instanceof ApiError) throw await this.#countRefusal(caller, request, response);
      const { app, key, query } = caller;
      // The key may have been removed while the body arrived.
      this.#checkRight(caller, appId, endpoint);
      if (caller.nonce !== undefined) {
        const full = () => reached(metrics, log, 'nonces', { appId: app.id });
        if (!(await this.#nonces.spend(caller, full)))
          throw await this.#countRefusal(reused(), request, response);
        spent = caller;
        // And while the nonce was spent.
        this.#checkRight(caller, appId, endpoint);
      }
      app.keyUses.count(key.name, endpoint.publishes ? 'publish' : 'read', now());
      const admitted = this.#quota.admit(app);
      if (admitted) await admitted;
      const result = endpoint.run({
        app,
        key,
        subject,
        query,
        headers: request.headers,
        body,
        hub,
        adapter,
        webhooks,
        audit,
        now,
        keyUses,
        reached: (bound) => reached(metrics, log, bound, { appId: app.id }),
      });
      const answer = result instanceof Promise ? await result : result;
      const headers = endpoint.answerHeaders?.(app);
      if (answer instanceof Repeated) {
        metrics.app(app.id).idempotency.repeated += 1;
        this.#answers.send(request, response, status, answer.body, { ...headers, ...REPEATED });
      } else if (answer instanceof Accepted) {
        status = 202;
        this.#answers.send(request, response, status, answer.body, headers);
      } else this.#answers.send(request, response, status, answer, headers);
    } catch (error) {
      if (spent) await this.#nonces.failed(spent, error);
      status = this.#answers.refuse(request, response, error);
      this.#report(request, appId, error);
    }
    this.#count(endpoint, appId, status);
    this.#inProgress -= 1;
    if (this.#inProgress === 0) this.#idle?.();
  }

  /** Resolves when no request is in progress; by then no new ones may come. */
  async close(): Promise<void> {
    if (this.#inProgress === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }

  /**
   * Counts a request without a valid signature against its address; one whose query cannot be read does not count.
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

  /** @throws ApiError if the app is gone or disabled, or the key may not do this any more */
  #checkRight({ app, key }: Authenticated, appId: string, endpoint: Endpoint): void {
    if (this.#context.apps.byId(appId) !== app || !app.accepts(key)) throw keyGone(app, key);
    refuseDisabled(app);
    if (endpoint.scope !== 'publish') checkScope(key, key.scopes.missing(endpoint.scope));
  }

  /** Checks everything but the body. */
  #authenticate(request: IncomingMessage, appId: string): Authenticated | ApiError {
    const { config, apps, now } = this.#context;
    const { path, rawQuery } = splitTarget(request.url ?? '');
    const signed = { method: request.method ?? '', path, rawQuery, appId };
    try {
      return authenticate(signed, { apps, pathPrefix: config.pathPrefix, now });
    } catch (error) {
      if (error instanceof ApiError) return error;
      throw error;
    }
  }

  /** Reports to the observer of the app why a request was refused. */
  #report(request: IncomingMessage, appId: string, error: unknown): void {
    if (!(error instanceof ApiError)) return;
    const { method = '', url = '' } = request;
    const { status, code: errorCode, message: reason } = error;
    const { path } = splitTarget(url);
    this.#context.apps
      .byId(appId)
      ?.observer?.observe({ kind: 'requestRefused', method, path, status, errorCode, reason });
  }

  /** Counts only for apps that exist, because callers choose the id. */
  #count({ publishes }: Endpoint, appId: string, status: number): void {
    const { apps, metrics } = this.#context;
    if (!apps.byId(appId)) return;
    const counts = metrics.app(appId);
    if (publishes) increment(counts.publishes, status);
    if (status === 429) counts.rateLimitHits += 1;
  }
}

/** @throws ApiError 403 if the app is disabled */
export function refuseDisabled({ enabled }: App): void {
  if (!enabled)
    throw new ApiError(
      403,
      'app_disabled',
      'The app is disabled: enable it in the configuration of the broker',
    );
}

function reused(): ApiError {
  return new ApiError(401, 'nonce_reused', 'Another request had this auth_nonce: make a new one for each');
}

function keyGone(app: App, key: AppKey): ApiError {
  return app.hasRevoked(key)
    ? new ApiError(401, 'key_revoked', 'The key that signed the request was revoked')
    : new ApiError(401, 'key_removed', 'The key that signed the request was removed');
}
