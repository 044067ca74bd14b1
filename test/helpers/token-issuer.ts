import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';
import { onTestFinished } from 'vitest';

export const ISSUER = 'https://login.example.com';
export const AUDIENCE = 'live.example.com';
export const SECRET = 'a-secret-that-issuer-and-broker-share';

/** Unix seconds, so many from now. */
const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;

/** What a token says that opens `private-team-*`, unless the test says something else. */
export function payload(more: JWTPayload = {}): JWTPayload {
  return {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: 'ann',
    exp: inSeconds(60),
    channels: { 'private-team-*': ['subscribe', 'publish'], 'presence-lobby': ['subscribe'] },
    ...more,
  };
}

/** A token that is signed by a shared secret. */
export function tokenBySecret(more: JWTPayload = {}, secret = SECRET): Promise<string> {
  return new SignJWT(payload(more))
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(secret));
}

/** The setting of an app that trusts {@link SECRET}. */
export function trustingSecret(more: object = {}): object {
  return { issuers: [{ issuer: ISSUER, audience: AUDIENCE, secret: SECRET }], ...more };
}

/** An identity provider that publishes its keys, on a real port. */
export class IdentityProvider {
  /** How often its keys were read. */
  reads = 0;
  /** What it answers instead of its keys. */
  fault: { readonly status: number; readonly body: string } | undefined;
  /** Until when it answers nothing. */
  pause: Promise<void> | undefined;
  readonly #server;
  readonly #keys = new Map<string, { readonly privateKey: CryptoKey; readonly jwk: JWK }>();

  /** Keys that it does not publish any more. */
  readonly #withdrawn = new Map<string, { readonly privateKey: CryptoKey; readonly jwk: JWK }>();

  private constructor() {
    this.#server = createServer(async (_request, response) => {
      this.reads += 1;
      await this.pause;
      const keys = [...this.#keys.values()].map(({ jwk }) => jwk);
      const { status, body } = this.fault ?? { status: 200, body: JSON.stringify({ keys }) };
      response.writeHead(status, { 'content-type': 'application/jwk-set+json' }).end(body);
    });
  }

  static async start(): Promise<IdentityProvider> {
    const provider = new IdentityProvider();
    await provider.addKey('key-a');
    await new Promise<void>((resolve) => provider.#server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      provider.#server.closeAllConnections();
      provider.#server.close();
    });
    return provider;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/jwks.json`;
  }

  /** The setting of an app that trusts it. */
  get trusted(): object {
    return { issuers: [{ issuer: ISSUER, audience: AUDIENCE, jwksUrl: this.url }] };
  }

  async addKey(kid: string, alg = 'ES256'): Promise<void> {
    const { privateKey, publicKey } = await generateKeyPair(alg);
    this.#keys.set(kid, { privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } });
  }

  /** Publishes it no longer; it can still sign. */
  withdraw(kid: string): void {
    const key = this.#keys.get(kid);
    if (key) this.#withdrawn.set(kid, key);
    this.#keys.delete(kid);
  }

  token(more: JWTPayload = {}, kid: string | undefined = 'key-a'): Promise<string> {
    const key = this.#keys.get(kid) ?? this.#withdrawn.get(kid);
    if (!key) throw new Error(`No key ${kid}`);
    return new SignJWT(payload(more))
      .setProtectedHeader({ alg: key.jwk.alg ?? '', kid })
      .sign(key.privateKey);
  }
}
