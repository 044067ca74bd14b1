import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import type { Counters } from '../adapter/adapter.ts';
import type { AppRepository } from '../apps/app-repository.ts';
import type { Audit } from '../audit/audit.ts';
import type { Config } from '../config/config.ts';
import { Unavailable } from '../errors.ts';
import { PROBLEM } from '../http/error-body.ts';
import type { UsageReader } from '../usage/usage-store.ts';
import { check, readJson, readParameters } from './http/check.ts';
import type { AdminCall } from './http/endpoint.ts';
import { invalid, noSuchParameter, Problem } from './http/problem.ts';
import type { AdminAnswer, AdminRequest, Caller } from './http/request.ts';
import { findRoute, type Matched } from './http/routes.ts';
import { IdentityProvider } from './identity-provider.ts';
import type { Live } from './live.ts';
import type { Repeatable } from './registry/documents.ts';
import type { Registry } from './registry/registry.ts';
import { AdminSessions } from './sessions.ts';
import { SignIns, type WaysIn } from './sign-ins.ts';
import { type Actor, type AdminToken, Tokens } from './tokens.ts';
import { auditEventOf, Trail } from './trail.ts';

export interface AdministrationParts {
  readonly config: Config;
  readonly registry: Registry;
  readonly repository: AppRepository;
  readonly counters: Counters;
  readonly live: Live;
  readonly usage: UsageReader;
  /** `undefined` if it is off. */
  readonly audit: Audit | undefined;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** Answers the admin API. With workers it is in the parent, and the workers pass their requests on. */
export interface Administrator {
  /** Answers a request that is refused for its token, before its body is read; `undefined`: it may go on. */
  admit(caller: Caller): Promise<AdminAnswer | undefined>;
  /** Starts the session of a browser that has a token, or goes on with its session; tells who it is. */
  session(caller: Caller): Promise<AdminAnswer>;
  /** How one can sign in. */
  waysIn(): WaysIn | Promise<WaysIn>;
  /** Sends a browser to the identity provider; the session of the answer is the ticket with which it comes back. */
  depart(callback: string): Promise<AdminAnswer>;
  /**
   * Starts the session of a browser that comes back from the identity provider.
   *
   * @param url with which it came back
   * @param caller whose session is the ticket
   */
  arrive(url: string, caller: Caller): Promise<AdminAnswer>;
  answer(request: AdminRequest): Promise<AdminAnswer>;
}

/** Who asks: by the token itself, or by a session that stands for it. */
interface Authenticated {
  readonly token: AdminToken;
  /** Of the session. */
  readonly id?: string;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const MAX_IDEMPOTENCY_KEY = 255;

/** The admin API (docs/administration.md). */
export class Administration implements Administrator {
  readonly #parts: AdministrationParts;
  readonly #tokens: Tokens;
  readonly #sessions: AdminSessions;
  readonly #signIns: SignIns;
  readonly #trail: Trail;

  constructor(parts: AdministrationParts) {
    const { config, registry } = parts;
    this.#parts = parts;
    this.#tokens = new Tokens(config.admin, () => registry.tokens);
    const key = registry.keyFor('admin sessions');
    const { oidc } = config.admin;
    const provider = oidc && new IdentityProvider({ ...parts, config: oidc, key });
    this.#sessions = new AdminSessions(key, this.#tokens, provider);
    this.#signIns = new SignIns({
      ...parts,
      tokens: this.#tokens,
      sessions: this.#sessions,
      provider,
      hasStore: registry.hasStore,
    });
    this.#trail = new Trail(parts.repository);
  }

  async admit(caller: Caller): Promise<AdminAnswer | undefined> {
    try {
      await this.#authenticate(caller);
      return undefined;
    } catch (error) {
      return this.#refuse(error);
    }
  }

  session(caller: Caller): Promise<AdminAnswer> {
    return this.#attempt(async () => {
      const { id, token } = await this.#authenticate(caller);
      return id === undefined ? this.#signIns.start(token, caller) : this.#signIns.show({ id, token });
    });
  }

  waysIn(): WaysIn {
    return this.#signIns.waysIn;
  }

  depart(callback: string): Promise<AdminAnswer> {
    return this.#attempt(() => this.#signIns.depart(callback));
  }

  arrive(url: string, caller: Caller): Promise<AdminAnswer> {
    return this.#attempt(() => this.#signIns.arrive(url, caller));
  }

  answer(request: AdminRequest): Promise<AdminAnswer> {
    return this.#attempt(() => this.#answer(request), request);
  }

  async #attempt(work: () => Promise<AdminAnswer>, request?: AdminRequest): Promise<AdminAnswer> {
    try {
      return await work();
    } catch (error) {
      return this.#refuse(error, request);
    }
  }

  /**
   * A refusal counts against the address; who has a valid token is never refused for what others do there.
   *
   * @throws Problem 401, or 429 past the limit of the address; 404 if there is no token at all
   */
  async #authenticate({ authorization, session, address }: Caller): Promise<Authenticated> {
    const { config, counters, now } = this.#parts;
    const hasToken = this.#tokens.all().length > 0;
    if (!hasToken && !(config.admin.oidc && session !== undefined))
      throw new Problem('not_found', 'Nothing is at this path');
    // A token of the configuration is good for a node that is cut off, too.
    const isBehind = await isRejected(this.#parts.registry.caughtUp());
    try {
      const known: Authenticated =
        session === undefined
          ? { token: this.#tokens.authenticate(authorization, Math.floor(now() / 1000)) }
          : this.#sessions.read(session, now());
      if (isBehind && known.token.managedBy === 'api')
        throw new Unavailable('The tokens cannot be looked up');
      return known;
    } catch (error) {
      // A session that has ended is nobody's attempt.
      if (error instanceof Unavailable || session !== undefined) throw error;
      const limit = config.failedAuthenticationsPerMinute;
      if (limit === null) throw error;
      const { hits, leftMs } = await counters.hit(`admin-refusals:${address}`, MINUTE_MS);
      if (hits <= limit) throw error;
      throw new Problem('too_many_refused', 'Too many refused requests from this address: try again later', {
        headers: { 'Retry-After': String(Math.max(1, Math.ceil(leftMs / 1000))) },
      });
    }
  }

  async #answer(request: AdminRequest): Promise<AdminAnswer> {
    const known = await this.#authenticate(request);
    const { token: actor } = known;
    const matched = findRoute(request.method, request.path);
    const { endpoint } = matched;
    if (!endpoint.roles.includes(actor.role))
      throw new Problem('role_missing', `The role "${actor.role}" of the token does not allow this request`);
    if (endpoint.isWide && actor.apps !== undefined)
      throw new Problem('role_missing', 'The token is for some apps only, and this request is for all');
    const call = this.#call(request, actor, matched);
    const repeatable = repeatableOf(request, actor, this.#parts.now());
    const repeated = repeatable && (await this.#parts.registry.repeat(repeatable));
    const answer = repeated ?? (await endpoint.run(call));
    if (!known.id) return answer;
    return { ...answer, session: this.#sessions.ticketOf({ id: known.id, token: actor }, this.#parts.now()) };
  }

  #call(request: AdminRequest, actor: Actor, { endpoint, parameters }: Matched): AdminCall {
    const { config, registry, live, usage, audit, now } = this.#parts;
    const { rawQuery, body, contentType, ifMatch, address, requestId, resume } = request;
    const query = readParameters(rawQuery);
    const known = endpoint.query?.shape ?? {};
    for (const name of Object.keys(query)) {
      if (!Object.hasOwn(known, name)) throw noSuchParameter(name);
    }
    const seconds = Math.floor(now() / 1000);
    return {
      parameters,
      query: endpoint.query ? check(endpoint.query, query) : {},
      body: this.#readBody(endpoint, Buffer.from(body), contentType),
      ifMatch,
      actor,
      registry,
      tokens: this.#tokens,
      trail: this.#trail,
      live,
      usage,
      resume,
      bounds: { eventDataBytes: Math.min(config.maxMessageBytes, config.maxBufferedBytes) },
      now: seconds,
      entry: (type, fields) => ({
        at: seconds,
        type,
        actor: actor.name,
        ...fields,
        address,
        request_id: requestId,
      }),
      change: (work) =>
        registry.change(work, repeatableOf(request, actor, now()), (entries) => {
          for (const entry of entries) audit?.record(auditEventOf(entry));
        }),
    };
  }

  #readBody(
    { body: schema, bodyTypes }: Matched['endpoint'],
    body: Buffer,
    contentType: string | undefined,
  ): unknown {
    if (!schema) {
      if (body.length > 0) throw invalid('', 'no body');
      return {};
    }
    const value = readJson(body, contentType, bodyTypes);
    check(schema, value);
    return value;
  }

  #refuse(error: unknown, request?: AdminRequest): AdminAnswer {
    if (error instanceof Problem) {
      const { status, body, more } = error;
      return { status, headers: { ...more.headers, 'Content-Type': PROBLEM }, body };
    }
    if (error instanceof Unavailable) {
      return this.#refuse(
        new Problem('unavailable', `${error.message}: try again later`, { headers: { 'Retry-After': '1' } }),
      );
    }
    const { method, path, requestId } = request ?? {};
    this.#parts.log.error({ err: error, method, path, requestId }, 'admin request failed');
    return this.#refuse(
      new Problem(
        'internal_error',
        'Something went wrong in the broker: its log tells what, under X-Request-Id',
      ),
    );
  }
}

/** Names a request that is made once, however often it comes; a key belongs to one token and path. */
function repeatableOf(request: AdminRequest, actor: Actor, now: number): Repeatable | undefined {
  const { idempotencyKey: key, method, path, rawQuery, body } = request;
  if (key === undefined || method !== 'POST') return undefined;
  if (key.length === 0 || key.length > MAX_IDEMPOTENCY_KEY)
    throw invalid('Idempotency-Key', `1 to ${MAX_IDEMPOTENCY_KEY} characters`);
  return {
    key: `answer:${digestOf(`${actor.name}\n${path}\n${key}`)}`,
    digest: digestOf(`${rawQuery}\n${Buffer.from(body).toString('base64')}`),
    until: now + DAY_MS,
  };
}

async function isRejected(promise: Promise<void> | undefined): Promise<boolean> {
  try {
    await promise;
    return false;
  } catch {
    return true;
  }
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
