import { createHash, type KeyObject, timingSafeEqual } from 'node:crypto';
import { sign, verify } from '@countersign/sdk-server/signature';
import type { CookieOptions, Request, Response } from 'express';
import { z } from 'zod';
import type { App, AppStore } from '../../apps/app.ts';

/** Somebody who looks at one app. */
export interface Session {
  readonly app: App;
  /** The key that he signed in with. */
  readonly key: string;
  readonly secret: KeyObject;
}

export interface SessionsParts {
  readonly apps: AppStore;
  /** Path that the cookie is sent to. */
  readonly path: string;
  /** Whether everybody is let in, as somebody who looks at the first app. */
  readonly open: boolean;
  readonly now: () => number;
  readonly isSecure: (request: Request) => boolean;
}

const COOKIE = 'countersign-console';
/** Milliseconds without a request after which a session ends. */
const LIFETIME_MS = 30 * 60_000;
const ticketSchema = z.tuple([z.string(), z.string(), z.number()]);

/**
 * Who may look at what. A session is a cookie that names app and key and is signed with the secret of the key: nothing
 * is stored, every node knows it, and it ends when the secret changes. Who could forge it could also sign in.
 */
export class Sessions {
  readonly #parts: SessionsParts;

  constructor(parts: SessionsParts) {
    this.#parts = parts;
  }

  /** Whether anybody needs to sign in. */
  get open(): boolean {
    return this.#parts.open;
  }

  /** Begins a session if key and secret belong together. */
  enter(key: string, secret: string): Session | undefined {
    const app = this.#parts.apps.byKey(key);
    const own = app?.secretOf(key);
    // An unknown key costs as much as a wrong secret.
    const isRight = isSame(own, secret);
    return app && own && isRight ? { app, key, secret: own } : undefined;
  }

  /** Whose request this is; `undefined` if it carries no session that still holds. */
  read(request: Request): Session | undefined {
    const { apps, open, now } = this.#parts;
    if (open) {
      const [app] = apps.all();
      const [key, secret] = app?.secrets[0] ?? [];
      return app && key !== undefined && secret ? { app, key, secret } : undefined;
    }
    const [text = '', signature] = readCookie(request).split('.', 2);
    const ticket = ticketSchema.safeParse(parse(Buffer.from(text, 'base64url').toString()));
    if (!ticket.success) return undefined;
    const [appId, key, until] = ticket.data;
    const app = apps.byId(appId);
    const secret = app?.secretOf(key);
    if (!app || !secret || until <= now()) return undefined;
    return verify(secret, sessionText(text), signature) ? { app, key, secret } : undefined;
  }

  /** Makes the session last for the next half hour. */
  keep(request: Request, response: Response, { app, key, secret }: Session): void {
    if (this.open) return;
    const ticket = JSON.stringify([app.id, key, this.#parts.now() + LIFETIME_MS]);
    const text = Buffer.from(ticket).toString('base64url');
    response.cookie(COOKIE, `${text}.${sign(secret, sessionText(text))}`, this.#attributes(request));
  }

  end(request: Request, response: Response): void {
    response.clearCookie(COOKIE, this.#attributes(request));
  }

  #attributes(request: Request): CookieOptions {
    const { path, isSecure } = this.#parts;
    return { httpOnly: true, sameSite: 'strict', path, secure: isSecure(request) };
  }
}

/** None of the texts that backends sign: it begins with no socket id, method or brace. */
function sessionText(ticket: string): string {
  return `console session\n${ticket}`;
}

/** Compares in constant time; what has no secret is no different from what has another one. */
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
