import type { IncomingMessage, ServerResponse } from 'node:http';
import type { App } from '../apps/app.ts';
import type { FairTurns } from '../async/fair-turns.ts';
import { ApiError } from '../errors.ts';
import { dropBody, readBody } from '../http/body.ts';
import { splitTarget } from '../http/target.ts';
import { increment, reached } from '../metrics.ts';
import { readTraceparent } from '../tracing/traceparent.ts';
import type { Span } from '../tracing/tracing.ts';
import type { Answers } from './answers.ts';
import type { ApiContext } from './context.ts';
import { Accepted, type Call, type Endpoint, Repeated } from './endpoint.ts';
import { type Authenticated, checkBody } from './requests/authenticate.ts';
import type { Callers } from './requests/callers.ts';
import type { RequestQuota } from './requests/request-quota.ts';

const NO_BODY = Buffer.alloc(0);
/** Characters of the id in a path that a span shows, which may be that of no app. */
const MAX_APP_ID = 64;
const REPEATED = { 'Idempotency-Replayed': 'true' };

/** What the path of a request names. */
export interface Target {
  readonly appId: string;
  /** The channel or user; empty where there is none. */
  readonly subject: string;
}

/** What the service shares with the publish sockets. */
export interface ServiceParts {
  readonly answers: Answers;
  readonly callers: Callers;
  readonly quota: RequestQuota;
  /** What apps ask for. */
  readonly turns: FairTurns<App>;
}

/** Serves the requests of apps: signature, body, limits, endpoint, answer. */
export class Service {
  readonly #context: ApiContext;
  readonly #answers: Answers;
  readonly #callers: Callers;
  readonly #quota: RequestQuota;
  readonly #turns: FairTurns<App>;
  #inProgress = 0;
  #idle: (() => void) | undefined;

  constructor(context: ApiContext, { answers, callers, quota, turns }: ServiceParts) {
    this.#context = context;
    this.#answers = answers;
    this.#callers = callers;
    this.#quota = quota;
    this.#turns = turns;
  }

  /** Never rejects: every error becomes an answer. */
  async serve(
    request: IncomingMessage,
    response: ServerResponse,
    endpoint: Endpoint,
    { appId, subject }: Target,
  ): Promise<void> {
    const { hub, adapter, webhooks, audit, now, quotas, metrics, log } = this.#context;
    const span = this.#beginSpan(request, endpoint, appId);
    let status = 200;
    let spent: Authenticated | undefined;
    this.#inProgress += 1;
    try {
      const behind = this.#callers.caughtUp(appId);
      if (behind) await behind;
      const authenticated = this.#callers.authenticate(request, appId);
      // The bodies of many callers without a valid signature would fill the memory.
      if (authenticated instanceof ApiError) await dropBody(request);
      const body = authenticated instanceof ApiError ? NO_BODY : await readBody(request);
      const caller = authenticated instanceof ApiError ? authenticated : checkBody(authenticated, body);
      if (caller instanceof ApiError) throw await this.#callers.countRefusal(caller, request, response);
      const { app, key, query } = caller;
      const checkRight = () => this.#callers.checkRight(caller, endpoint.scope);
      // The key may have been removed while the body arrived.
      checkRight();
      if (caller.nonce !== undefined) {
        await this.#callers.spendNonce(caller, request, response);
        spent = caller;
        // And while the nonce was spent.
        checkRight();
      }
      app.keyUses.count(key.name, endpoint.publishes ? 'publish' : 'read', now());
      const admitted = this.#quota.admit(app);
      if (admitted) {
        await admitted;
        checkRight();
      }
      const call: Call = {
        app,
        key,
        subject,
        query,
        headers: request.headers,
        traceparent: span?.traceparent ?? readTraceparent(request.headers['traceparent']),
        body,
        hub,
        adapter,
        webhooks,
        audit,
        now,
        checkRight,
        usage: metrics.app(app.id).usage,
        quotas,
        reached: (bound) => reached(metrics, log, bound, { appId: app.id }),
      };
      const result = this.#turns.run(app, (hasWaited) => {
        if (hasWaited) checkRight();
        return endpoint.run(call);
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
      if (spent) await this.#callers.failed(spent, error);
      status = this.#answers.refuse(request, response, error);
      this.#report(request, appId, error);
    }
    span?.end({ 'http.response.status_code': status }, status >= 500 ? String(status) : undefined);
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

  #beginSpan({ headers }: IncomingMessage, { method, path }: Endpoint, appId: string): Span | undefined {
    const { tracing } = this.#context;
    if (!tracing) return undefined;
    const route = `/apps/:appId/${path}`;
    const attributes = {
      'http.request.method': method,
      'http.route': route,
      'countersign.app.id': appId.slice(0, MAX_APP_ID),
    };
    return tracing.begin(`${method} ${route}`, 'server', attributes, [
      readTraceparent(headers['traceparent']),
    ]);
  }

  /** Reports to the observer of the app why a request was refused. */
  #report(request: IncomingMessage, appId: string, error: unknown): void {
    if (!(error instanceof ApiError)) return;
    const { method = '', url = '' } = request;
    const { status, code: errorCode, message: reason, part } = error;
    const { path } = splitTarget(url);
    this.#context.apps
      .byId(appId)
      ?.observer?.observe({ kind: 'requestRefused', method, path, status, errorCode, reason, part });
  }

  /** Counts only for apps that exist, because callers choose the id. */
  #count({ publishes }: Endpoint, appId: string, status: number): void {
    const { apps, metrics } = this.#context;
    if (!apps.byId(appId)) return;
    const counts = metrics.app(appId);
    if (status >= 400) counts.usage.refused += 1;
    if (publishes) increment(counts.publishes, status);
    if (status === 429) counts.rateLimitHits += 1;
  }
}
