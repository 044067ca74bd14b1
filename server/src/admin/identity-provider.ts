/** Signing in with an identity provider: OpenID Connect, by an authorization code with PKCE. */
import { createSecretKey, type KeyObject } from 'node:crypto';
import * as oidc from 'openid-client';
import type { Logger } from 'pino';
import { type AdminRole, adminRoles, type OidcConfig } from '../config/admin.ts';
import { hostnameOf, isLoopback } from '../config/loopback.ts';
import { Unavailable } from '../errors.ts';
import { claimsOf, isSigned, makeTicket, newSessionId } from '../http/session-ticket.ts';
import { Problem } from './http/problem.ts';
import { type AdminToken, hashOf } from './tokens.ts';

export interface IdentityProviderParts {
  readonly config: OidcConfig;
  /** The same on all nodes: a sign-in may end on another one than it began on. */
  readonly key: Buffer;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** A browser is sent to the provider, and comes back with the ticket. */
export interface Departure {
  readonly location: string;
  readonly ticket: string;
}

const SCOPE = 'sign-in with an identity provider';
const TIMEOUT_SECONDS = 10;
/** Scopes that providers put roles and addresses under. */
const USEFUL_SCOPES = ['profile', 'email', 'groups', 'roles'];
/** Characters of the name under which an administrator stands in the audit log. */
const MAX_NAME = 200;

/** Lets people administer who sign in with one identity provider. */
export class IdentityProvider {
  readonly #parts: IdentityProviderParts;
  readonly #key: KeyObject;
  readonly #hash: string;
  #discovered: Promise<oidc.Configuration> | undefined;

  constructor(parts: IdentityProviderParts) {
    this.#parts = parts;
    this.#key = createSecretKey(parts.key);
    const { roles, ...rest } = parts.config;
    this.#hash = hashOf(JSON.stringify([rest, [...roles]]));
  }

  /** Under which people know it. */
  get host(): string {
    return new URL(this.#parts.config.issuer).host;
  }

  /** An administrator who has signed in. Sessions end with the settings under which they began. */
  administrator(name: string, role: AdminRole): AdminToken {
    const never = { apps: undefined, expiresAt: null, createdAt: null };
    return { name, role, hash: this.#hash, ...never, managedBy: 'oidc' };
  }

  /**
   * @param callback the URL to which the provider sends the browser back
   * @throws Unavailable if the provider does not answer
   */
  async begin(callback: string): Promise<Departure> {
    const provider = await this.#discover();
    const [state, nonce, verifier] = [oidc.randomState(), oidc.randomNonce(), oidc.randomPKCECodeVerifier()];
    const supported = provider.serverMetadata().scopes_supported ?? ['profile', 'email'];
    const { href } = oidc.buildAuthorizationUrl(provider, {
      redirect_uri: callback,
      scope: ['openid', ...USEFUL_SCOPES.filter((each) => supported.includes(each))].join(' '),
      state,
      nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    const now = this.#parts.now();
    const who = [state, nonce, verifier];
    return { location: href, ticket: makeTicket(this.#key, SCOPE, { who, id: newSessionId(now) }, now) };
  }

  /**
   * @param answer the URL with which the browser came back
   * @throws Problem if this browser began no sign-in, or the provider or its roles refuse the user
   * @throws Unavailable if the provider does not answer
   */
  async finish(answer: string, ticket: string): Promise<AdminToken> {
    const claims = claimsOf(ticket, this.#parts.now());
    if (!claims || !isSigned(this.#key, SCOPE, ticket))
      throw new Problem('console_sign_in_required', 'The sign-in took too long, or began in another browser');
    const [expectedState = '', expectedNonce = '', pkceCodeVerifier = ''] = claims.who;
    const provider = await this.#discover();
    const checks = { expectedState, expectedNonce, pkceCodeVerifier, idTokenExpected: true };
    const user = await this.#userOf(provider, new URL(answer), checks);
    const role = roleOf(user, this.#parts.config);
    if (role === undefined) {
      const { roleClaim } = this.#parts.config;
      throw new Problem('role_missing', `No value of the claim "${roleClaim}" of ${user.sub} has a role`);
    }
    return this.administrator(nameOf(user), role);
  }

  /** What the provider says of the user: in the token, and where that has no role, in its answer about the user. */
  async #userOf(
    provider: oidc.Configuration,
    answer: URL,
    checks: oidc.AuthorizationCodeGrantChecks,
  ): Promise<oidc.IDToken> {
    try {
      const tokens = await oidc.authorizationCodeGrant(provider, answer, checks);
      const claims = tokens.claims();
      if (!claims) throw new Error('the provider sent no ID token');
      const { roleClaim } = this.#parts.config;
      if (valuesOf(claims, roleClaim).length > 0 || !provider.serverMetadata().userinfo_endpoint)
        return claims;
      return { ...(await oidc.fetchUserInfo(provider, tokens.access_token, claims.sub)), ...claims };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Problem('identity_refused', `The identity provider did not confirm who you are: ${why}`);
    }
  }

  /** Reads where the provider has what; after a failure, again. */
  async #discover(): Promise<oidc.Configuration> {
    const { issuer, clientId, clientSecret } = this.#parts.config;
    this.#discovered ??= oidc.discovery(new URL(issuer), clientId, clientSecret, undefined, {
      timeout: TIMEOUT_SECONDS,
      execute: isLoopback(hostnameOf(issuer)) ? [oidc.allowInsecureRequests] : [],
    });
    try {
      return await this.#discovered;
    } catch (error) {
      this.#discovered = undefined;
      this.#parts.log.error({ err: error, provider: this.host }, 'identity provider does not answer');
      throw new Unavailable('The identity provider does not answer');
    }
  }
}

/** The first of the roles, from the strongest, that a value of the claim has. */
function roleOf(user: oidc.IDToken, { roleClaim, roles }: OidcConfig): AdminRole | undefined {
  const held = new Set(valuesOf(user, roleClaim).map((value) => roles.get(value)));
  return adminRoles.find((role) => held.has(role));
}

/** The texts of a claim, which may be within others: `realm_access.roles`. */
function valuesOf(user: object, claim: string): readonly string[] {
  const value = memberOf(user, claim) ?? claim.split('.').reduce<unknown>(memberOf, user);
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  return values.filter((each) => typeof each === 'string');
}

function memberOf(value: unknown, name: string): unknown {
  const isMember = typeof value === 'object' && value !== null && Object.hasOwn(value, name);
  return isMember ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}

/** Whoever reads the audit log knows an address rather than a subject. One that nobody has verified is anybody's. */
function nameOf({ sub, email, email_verified: isVerified }: oidc.IDToken): string {
  const name = typeof email === 'string' && isVerified === true ? email : sub;
  return `oidc:${name.slice(0, MAX_NAME)}`;
}
