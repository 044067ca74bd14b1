import type { CookieOptions, Request, Response } from 'express';
import { readCookie } from '../http/cookie.ts';

export interface AdminCookieParts {
  /** The path of the cookie. */
  readonly path: string;
  readonly isSecure: (request: Request) => boolean;
}

const NAME = 'countersign-admin';

/** The cookie that holds the session of an administrator. */
export class AdminCookie {
  readonly #parts: AdminCookieParts;

  constructor(parts: AdminCookieParts) {
    this.#parts = parts;
  }

  /** The ticket of the session; empty if there is none. */
  read(request: Request): string {
    return readCookie(request, NAME);
  }

  /** @param ticket `undefined`: the session is as it was */
  keep(request: Request, response: Response, ticket: string | undefined): void {
    if (ticket !== undefined) response.cookie(NAME, ticket, this.#attributes(request));
  }

  clear(request: Request, response: Response): void {
    response.clearCookie(NAME, this.#attributes(request));
  }

  #attributes(request: Request): CookieOptions {
    const { path, isSecure } = this.#parts;
    return { httpOnly: true, sameSite: 'strict', path, secure: isSecure(request) };
  }
}
