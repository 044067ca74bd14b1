import { createHash, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';
import { sign, verify } from '@countersign/sdk-server/signature';
import type { CookieOptions, Request, Response } from 'express';
import { z } from 'zod';
import type { App, AppStore } from '../apps/app.ts';

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
/** Milliseconds without a request after which a session ends. */
const IDLE_MS = 30 * 60_000;
/** Milliseconds after which a session ends in any case. */
const LIFETIME_MS = 12 * 60 * 60_000;
const OPEN_SESSION = 'open';
const ticketSchema = z.tuple([z.string(), z.string(), z.string(), z.number()]);

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
    const id = `${this.#parts.now() + LIFETIME_MS}-${randomBytes(16).toString('hex')}`;
    return { id, app, key, secret: own };
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
    const [text = '', signature] = readCookie(request).split('.', 2);
    const ticket = ticketSchema.safeParse(parse(Buffer.from(text, 'base64url').toString()));
    if (!ticket.success) return undefined;
    const [appId, key, id, until] = ticket.data;
    const app = apps.byId(appId);
    const secret = app && secretOf(app, key);
    if (!app || !secret || Math.min(until, endOf(id)) <= now()) return undefined;
    return verify(secret, sessionText(incarnation, text), signature) ? { id, app, key, secret } : undefined;
  }

  /** Extends the session by another half hour. */
  keep(request: Request, response: Response, { id, app, key, secret }: Session): void {
    if (this.open) return;
    const ticket = JSON.stringify([app.id, key, id, this.#parts.now() + IDLE_MS]);
    const text = Buffer.from(ticket).toString('base64url');
    const signature = sign(secret, sessionText(this.#parts.incarnation, text));
    response.cookie(COOKIE, `${text}.${signature}`, this.#attributes(request));
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
  return sessionId === OPEN_SESSION ? Number.POSITIVE_INFINITY : Number.parseInt(sessionId, 10);
}

/** The text that the cookie signs. It cannot be a text that backends sign, since it starts with no socket id, method or brace. */
function sessionText(incarnation: string, ticket: string): string {
  return `console session\n${incarnation}\n${ticket}`;
}

/** Compares in constant time, also when there is no secret. */
function isSame(secret: KeyObject | undefined, given: string): boolean {
  const expected = createHash('sha256')
    .update(secret?.export() ?? '')
    .digest();
  return timingSafeEqual(expected, createHash('sha256').update(given).digest());
}

function readCookie({ headers }: Request): string {
  const pairs = (headers.cookie ?? '').split(';').map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1) ?? '';
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The secret of a key that opens the console, which may do everything: neither a revoked key nor one with scopes. */
function secretOf(app: App, name: string): KeyObject | undefined {
  const key = app.keyOf(name);
  return key && !key.isRevoked && key.scopes.texts === null ? key.secret : undefined;
}
