import { createHash, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { CookieOptions, Request, Response } from 'express';
import type { App, AppStore } from '../apps/app.ts';
import { readCookie } from '../http/cookie.ts';
import { claimsOf, isSigned, makeTicket, newSessionId, endOf as ticketEnd } from '../http/session-ticket.ts';

/** The session of one user with one app. */
export interface Session {
  /** Starts with the time when the session ends in any case, in Unix milliseconds. */
  readonly id: string;
  readonly app: App;
  /** The key that they signed in with. */
  readonly key: string;
  readonly secret: KeyObject;
}

/** The sessions that ended by a sign-out, on all nodes. */
export interface EndedSessions {
  has(session: Session): Promise<boolean>;
  add(session: Session): Promise<void>;
}

export interface SessionsParts {
  readonly apps: AppStore;
  /** Path of the cookie. */
  readonly path: string;
  /** Whether there is no sign-in: every user sees the first app. */
  readonly open: boolean;
  /** Differs at each start of a broker that does not store which sessions have ended. */
  readonly incarnation: string;
  readonly ended: EndedSessions;
  readonly now: () => number;
  readonly isSecure: (request: Request) => boolean;
}

const COOKIE = 'countersign-console';
const OPEN_SESSION = 'open';

/**
 * The sessions of the console. A session is a cookie that contains the app and the key and is signed with the secret of
 * the key, so every node can verify it, and it ends when the secret changes. Only ended sessions are stored.
 */
export class Sessions {
  readonly #parts: SessionsParts;

  constructor(parts: SessionsParts) {
    this.#parts = parts;
  }

  /** Whether there is no sign-in. */
  get open(): boolean {
    return this.#parts.open;
  }

  /** Starts a session if the secret is that of the key. */
  start(key: string, secret: string): Session | undefined {
    const app = this.#parts.apps.byKey(key);
    const own = app && secretOf(app, key);
    // An unknown key takes as long as a wrong secret.
    const matches = isSame(own, secret);
    if (!app || !own || !matches) return undefined;
    return { id: newSessionId(this.#parts.now()), app, key, secret: own };
  }

  /** The session of a request; `undefined` if it has none, or the session has ended. */
  async read(request: Request): Promise<Session | undefined> {
    const session = this.claimed(request);
    if (!session || this.open) return session;
    // The key may have been removed meanwhile.
    return (await this.#parts.ended.has(session)) ? undefined : this.claimed(request);
  }

  /** The session that the cookie of a request claims. The user may have signed out since. */
  claimed(request: Request): Session | undefined {
    const { apps, open, incarnation, now } = this.#parts;
    if (open) {
      const [app] = apps.all();
      const [key, secret] = app?.secrets.find(([name]) => secretOf(app, name)) ?? [];
      return app && key !== undefined && secret ? { id: OPEN_SESSION, app, key, secret } : undefined;
    }
    const ticket = readCookie(request, COOKIE);
    const claims = claimsOf(ticket, now());
    const [appId = '', key = ''] = claims?.who ?? [];
    const app = apps.byId(appId);
    const secret = app && secretOf(app, key);
    if (!claims || !app || !secret) return undefined;
    return isSigned(secret, scopeOf(incarnation), ticket) ? { id: claims.id, app, key, secret } : undefined;
  }

  /** Extends the session by another half hour. */
  keep(request: Request, response: Response, { id, app, key, secret }: Session): void {
    if (this.open) return;
    const { incarnation, now } = this.#parts;
    const ticket = makeTicket(secret, scopeOf(incarnation), { who: [app.id, key], id }, now());
    response.cookie(COOKIE, ticket, this.#attributes(request));
  }

  /** Ends the session of a request on all nodes, for every copy of its cookie. */
  async end(request: Request, response: Response): Promise<void> {
    response.clearCookie(COOKIE, this.#attributes(request));
    const session = this.open ? undefined : await this.read(request);
    if (session) await this.#parts.ended.add(session);
  }

  #attributes(request: Request): CookieOptions {
    const { path, isSecure } = this.#parts;
    return { httpOnly: true, sameSite: 'strict', path, secure: isSecure(request) };
  }
}

/** When a session ends in any case, in Unix milliseconds. */
export function endOf(sessionId: string): number {
  return sessionId === OPEN_SESSION ? Number.POSITIVE_INFINITY : ticketEnd(sessionId);
}

/** Begins the text that the cookie signs. It cannot be a text that backends sign, since it starts with no socket id, method or brace. */
function scopeOf(incarnation: string): string {
  return `console session\n${incarnation}`;
}

/** Compares in constant time, also when there is no secret. */
function isSame(secret: KeyObject | undefined, given: string): boolean {
  const expected = createHash('sha256')
    .update(secret?.export() ?? '')
    .digest();
  return timingSafeEqual(expected, createHash('sha256').update(given).digest());
}

/** The secret of a key that opens the console, which may do everything: neither a revoked key nor one with scopes. */
function secretOf(app: App, name: string): KeyObject | undefined {
  const key = app.keyOf(name);
  return key && !key.isRevoked && key.scopes.texts === null ? key.secret : undefined;
}
