/** Sessions of browsers that have signed in, with an admin token or an identity provider. */
import { createSecretKey, type KeyObject } from 'node:crypto';
import { adminRoles } from '../config/admin.ts';
import { claimsOf, isSigned, makeTicket, newSessionId } from '../http/session-ticket.ts';
import { Problem } from './http/problem.ts';
import type { IdentityProvider } from './identity-provider.ts';
import type { AdminToken, Tokens } from './tokens.ts';

/** A session, and the token that it stands for. */
export interface AdminSession {
  readonly id: string;
  readonly token: AdminToken;
}

/** A session is a ticket that names its token, so it ends with the token, and nothing is stored. */
export class AdminSessions {
  readonly #key: KeyObject;
  readonly #tokens: Tokens;
  readonly #provider: IdentityProvider | undefined;

  /** @param key the same on all nodes that share their tokens */
  constructor(key: Buffer, tokens: Tokens, provider: IdentityProvider | undefined) {
    this.#key = createSecretKey(key);
    this.#tokens = tokens;
    this.#provider = provider;
  }

  /** @param now Unix milliseconds */
  start(token: AdminToken, now: number): AdminSession {
    return { id: newSessionId(now), token };
  }

  /**
   * The session of a ticket. Whether it was ended by a sign-out is known to whoever has the cookie.
   *
   * @param now Unix milliseconds
   * @throws Problem 401
   */
  read(ticket: string, now: number): AdminSession {
    const claims = claimsOf(ticket, now);
    const token = claims && this.#tokenOf(claims.who);
    if (!claims || !token || !isSigned(this.#key, scopeOf(token), ticket))
      throw new Problem('console_sign_in_required', 'The session has ended: sign in again');
    if (token.managedBy !== 'oidc') this.#tokens.use(token, Math.floor(now / 1000));
    return { id: claims.id, token };
  }

  #tokenOf([name = '', given]: readonly string[]): AdminToken | undefined {
    if (given === undefined) return this.#tokens.all().find((each) => each.name === name);
    const role = adminRoles.find((each) => each === given);
    return role && this.#provider?.administrator(name, role);
  }

  /**
   * The ticket with which a session goes on.
   *
   * @param now Unix milliseconds
   */
  ticketOf({ id, token }: AdminSession, now: number): string {
    const { name, role, managedBy } = token;
    // The provider is not asked again, so the session says what it said.
    const who = managedBy === 'oidc' ? [name, role] : [name];
    return makeTicket(this.#key, scopeOf(token), { who, id }, now);
  }
}

/** Another token of the same name has other sessions. */
function scopeOf({ hash }: AdminToken): string {
  return `admin session\n${hash}`;
}
