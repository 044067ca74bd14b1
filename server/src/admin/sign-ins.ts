/** Signing in to the console as an administrator, with a token or with an identity provider. */
import type { Logger } from 'pino';
import type { Counters } from '../adapter/adapter.ts';
import { Problem } from './http/problem.ts';
import type { AdminAnswer, Caller } from './http/request.ts';
import type { IdentityProvider } from './identity-provider.ts';
import type { AdminSession, AdminSessions } from './sessions.ts';
import type { AdminToken, Tokens } from './tokens.ts';

export interface SignInsParts {
  readonly tokens: Tokens;
  readonly sessions: AdminSessions;
  readonly provider: IdentityProvider | undefined;
  readonly counters: Counters;
  readonly hasStore: boolean;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** How one can sign in to the console as an administrator. */
export interface WaysIn {
  readonly token: boolean;
  /** The host of the identity provider, if there is one. */
  readonly provider?: string;
}

const MINUTE_MS = 60_000;
/** Sign-ins of one administrator, or returns of one address from the provider; this bounds the ended sessions, too. */
const SIGN_INS_PER_MINUTE = 60;

/** Each method throws a Problem, or Unavailable, if it refuses. */
export class SignIns {
  readonly #parts: SignInsParts;

  constructor(parts: SignInsParts) {
    this.#parts = parts;
  }

  get waysIn(): WaysIn {
    const { tokens, provider } = this.#parts;
    return { token: tokens.all().length > 0, ...(provider && { provider: provider.host }) };
  }

  /** Starts a session. */
  async start(token: AdminToken, { address }: Caller): Promise<AdminAnswer> {
    await this.#bound(`admin-sign-ins:${token.name}`);
    const { sessions, log, now } = this.#parts;
    log.info({ token: token.name, address }, 'console signed in');
    return this.show(sessions.start(token, now()));
  }

  /** Tells whose session it is, which goes on. */
  show(session: AdminSession): AdminAnswer {
    const { sessions, hasStore, now } = this.#parts;
    const { name, role, apps, expiresAt } = session.token;
    return {
      status: 200,
      body: { name, role, ...(apps && { apps }), expires_at: expiresAt, has_store: hasStore },
      session: sessions.ticketOf(session, now()),
    };
  }

  /** Sends the browser to the identity provider; the session of the answer is its ticket to come back. */
  async depart(callback: string): Promise<AdminAnswer> {
    const { location, ticket } = await this.#provider().begin(callback);
    return { status: 303, headers: { Location: location }, session: ticket };
  }

  /** Starts the session of a browser that comes back from the identity provider. */
  async arrive(url: string, caller: Caller): Promise<AdminAnswer> {
    const provider = this.#provider();
    // The provider is asked each time, whoever comes.
    await this.#bound(`admin-arrivals:${caller.address}`);
    try {
      return await this.start(await provider.finish(url, caller.session ?? ''), caller);
    } catch (error) {
      this.#parts.log.warn({ err: error, address: caller.address }, 'console sign-in refused');
      throw error;
    }
  }

  #provider(): IdentityProvider {
    const { provider } = this.#parts;
    if (!provider) throw new Problem('not_found', 'Nothing is at this path');
    return provider;
  }

  async #bound(counter: string): Promise<void> {
    const { hits } = await this.#parts.counters.hit(counter, MINUTE_MS);
    if (hits > SIGN_INS_PER_MINUTE)
      throw new Problem('too_many_requests', 'Too many sign-ins: wait a minute');
  }
}
