import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { App } from '../../apps/app.ts';
import type { AppKey } from '../../apps/keys/app-key.ts';
import { ApiError } from '../../errors.ts';
import { splitTarget } from '../../http/target.ts';
import { reached } from '../../metrics.ts';
import type { ApiContext } from '../context.ts';
import type { Endpoint } from '../endpoint.ts';
import { type Authenticated, authenticate } from './authenticate.ts';
import { NonceCheck } from './nonce-check.ts';
import { RefusalLimit } from './refusal-limit.ts';
import { checkScope } from './scope.ts';

/** Authenticates callers of the API by signature, key and nonce. Counts failed attempts. */
export class Callers {
  readonly #context: ApiContext;
  readonly #nonces: NonceCheck;
  readonly #refusals: RefusalLimit;
  readonly #proven = new WeakMap<Socket, App>();

  constructor(context: ApiContext) {
    const { adapter, config, addressOf, now } = context;
    this.#context = context;
    this.#nonces = new NonceCheck(adapter.nonces, now);
    this.#refusals = new RefusalLimit(adapter.counters, config.failedAuthenticationsPerMinute, addressOf);
  }

  /**
   * Waits until this node has what other nodes have changed about an app; `undefined`: it has.
   *
   * @throws Unavailable if that cannot be known now
   */
  caughtUp(appId: string): Promise<void> | undefined {
    return this.#context.caughtUp({ id: appId });
  }

  /** The app for which a request was signed that came on this socket; nobody else can use its share of the time. */
  provenOn(socket: Socket): App | undefined {
    return this.#proven.get(socket);
  }

  /** Checks everything but the body and the nonce. */
  authenticate(request: IncomingMessage, appId: string): Authenticated | ApiError {
    const { config, apps, now } = this.#context;
    const { path, rawQuery } = splitTarget(request.url ?? '');
    const signed = { method: request.method ?? '', path, rawQuery, appId };
    try {
      const caller = authenticate(signed, { apps, pathPrefix: config.pathPrefix, now });
      this.#proven.set(request.socket, caller.app);
      return caller;
    } catch (error) {
      if (error instanceof ApiError) return error;
      throw error;
    }
  }

  /**
   * Counts a request without a valid signature against its address; one whose query cannot be read does not count.
   *
   * @returns the refusal
   * @throws ApiError 429 past the limit of its address
   */
  async countRefusal(
    refusal: ApiError,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<ApiError> {
    if (refusal.status !== 400) await this.#refusals.refuse(request, response);
    return refusal;
  }

  /**
   * Spends the nonce of a request that has one.
   *
   * @throws ApiError 401 if it was used before, 429 if there are too many
   */
  async spendNonce(caller: Authenticated, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { metrics, log } = this.#context;
    const full = () => reached(metrics, log, 'nonces', { appId: caller.app.id });
    if (await this.#nonces.spend(caller, full)) return;
    throw await this.countRefusal(reused(), request, response);
  }

  /** The request of a caller with a nonce has failed: the nonce is good again if the request had no effect. */
  failed(caller: Authenticated, why: unknown): Promise<void> {
    return this.#nonces.failed(caller, why);
  }

  /** @throws ApiError if the app is gone or disabled, or the key may not do this any more */
  checkRight({ app, key }: Pick<Authenticated, 'app' | 'key'>, scope: Endpoint['scope']): void {
    if (this.#context.apps.byId(app.id) !== app || !app.accepts(key)) throw keyGone(app, key);
    refuseDisabled(app);
    if (scope !== 'publish') checkScope(key, key.scopes.missing(scope));
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
