import { createHash, timingSafeEqual } from 'node:crypto';
import { type AdminConfig, type AdminRole, ENVIRONMENT_TOKEN } from '../config/admin.ts';
import { Problem } from './http/problem.ts';
import type { TokenRecord } from './registry/records.ts';

/** A token, wherever it comes from; or, in place of one, somebody whom an identity provider knows. */
export interface AdminToken {
  readonly name: string;
  readonly hash: string;
  readonly role: AdminRole;
  readonly apps: readonly string[] | undefined;
  /** Unix seconds. */
  readonly expiresAt: number | null;
  readonly createdAt: number | null;
  readonly managedBy: 'env' | 'file' | 'api' | 'oidc';
}

/** Who asks. */
export type Actor = Pick<AdminToken, 'name' | 'role' | 'apps'>;

/** The tokens of the admin API. */
export class Tokens {
  readonly #configured: readonly AdminToken[];
  readonly #stored: () => ReadonlyMap<string, TokenRecord>;
  readonly #lastUsed = new Map<string, number>();

  /** @param stored those of the app store, by name */
  constructor({ token, tokens }: AdminConfig, stored: () => ReadonlyMap<string, TokenRecord>) {
    const environment: AdminToken[] =
      token === undefined
        ? []
        : [
            {
              name: ENVIRONMENT_TOKEN,
              hash: hashOf(token),
              role: 'owner',
              apps: undefined,
              expiresAt: null,
              createdAt: null,
              managedBy: 'env',
            },
          ];
    const file = tokens.map(
      ({ name, hash, role, apps, expiresAt }): AdminToken => ({
        name,
        hash,
        role,
        apps,
        expiresAt: expiresAt === undefined ? null : Math.floor(Date.parse(expiresAt) / 1000),
        createdAt: null,
        managedBy: 'file',
      }),
    );
    this.#configured = [...environment, ...file];
    this.#stored = stored;
  }

  /** All tokens, those of the configuration first. */
  all(): readonly AdminToken[] {
    const stored = [...this.#stored().values()].map(
      ({ name, hash, role, apps, expires_at, created_at }): AdminToken => ({
        name,
        hash,
        role,
        apps,
        expiresAt: expires_at,
        createdAt: created_at,
        managedBy: 'api',
      }),
    );
    return [...this.#configured, ...stored];
  }

  /** Unix seconds; null: not since the node started. */
  lastUsed(name: string): number | null {
    return this.#lastUsed.get(name) ?? null;
  }

  /**
   * @param now Unix seconds
   * @throws Problem 401
   */
  authenticate(authorization: string | undefined, now: number): AdminToken {
    const [, text] = /^Bearer +(.+?) *$/i.exec(authorization ?? '') ?? [];
    if (text === undefined)
      throw unauthorized('admin_token_missing', 'Send an admin token: "Authorization: Bearer csa_…"');
    const hash = Buffer.from(hashOf(text));
    // Each is compared, so that the time tells nothing of where one is.
    const [token] = this.all().filter((each) => timingSafeEqual(Buffer.from(each.hash), hash));
    if (!token) throw unauthorized('admin_token_invalid', 'No admin token is like this one');
    return this.use(token, now);
  }

  /**
   * @param now Unix seconds
   * @throws Problem 401 if it has expired
   */
  use(token: AdminToken, now: number): AdminToken {
    if (token.expiresAt !== null && token.expiresAt <= now)
      throw unauthorized('admin_token_expired', `The admin token "${token.name}" has expired`);
    this.#lastUsed.set(token.name, now);
    return token;
  }
}

/** The form in which tokens are kept: they are random, so that nobody finds one by trying. */
export function hashOf(token: string): string {
  return `sha256:${createHash('sha256').update(token).digest('hex')}`;
}

function unauthorized(
  code: 'admin_token_missing' | 'admin_token_invalid' | 'admin_token_expired',
  text: string,
) {
  return new Problem(code, text, { headers: { 'WWW-Authenticate': 'Bearer' } });
}
