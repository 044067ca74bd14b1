import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';
import { onTestFinished, vi } from 'vitest';

export const CLIENT = { clientId: 'countersign', clientSecret: 'a-client-secret-of-the-tests' };

/** What the provider says of a user. */
export interface Identity {
  readonly sub: string;
  readonly email?: string;
  readonly email_verified?: boolean;
  readonly groups?: readonly string[];
}

/** An identity provider at which one user is signed in, whoever comes. */
export interface TestProvider {
  readonly issuer: string;
  user: Identity;
  close(): Promise<void>;
  /** Answers again at the same address. */
  open(): Promise<void>;
}

/**
 * @param callback to which it sends browsers back
 * @param claimsIn where it says what it knows of a user
 */
export async function startIdentityProvider(
  callback: string,
  user: Identity,
  claimsIn: 'idToken' | 'userinfo' = 'userinfo',
): Promise<TestProvider> {
  // It says in many lines that this is a provider for tests.
  for (const method of ['info', 'warn'] as const) vi.spyOn(console, method).mockImplementation(() => {});
  let provider: Provider;
  const server = createServer((request, response) => {
    if (request.url?.startsWith('/interaction/')) void agree(request, response);
    else void provider.callback()(request, response);
  });
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const issuer = `http://127.0.0.1:${port}`;
  const running = {
    issuer,
    user,
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
    open: () => listen(port),
  };
  const { clientId: client_id, clientSecret: client_secret } = CLIENT;
  provider = new Provider(issuer, {
    clients: [{ client_id, client_secret, redirect_uris: [callback] }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], groups: ['groups'] },
    conformIdTokenClaims: claimsIn === 'userinfo',
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
    findAccount: (_context, sub) => ({ accountId: sub, claims: () => ({ ...running.user, sub }) }),
    cookies: { keys: ['a key of the tests'] },
  });
  const agree = async (request: IncomingMessage, response: ServerResponse) => {
    const { prompt, params } = await provider.interactionDetails(request, response);
    if (prompt.name === 'login') {
      const login = { accountId: running.user.sub };
      return provider.interactionFinished(request, response, { login });
    }
    const grant = new provider.Grant({ accountId: running.user.sub, clientId: client_id });
    grant.addOIDCScope(String(params['scope']));
    const consent = { grantId: await grant.save() };
    return provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true });
  };
  onTestFinished(() => running.close());
  return running;
}
