import type { AppConfig } from '../apps/app.ts';
import { withoutSharedSecrets } from '../apps/hidden-secrets.ts';
import { HIDDEN } from '../log/secret-mask.ts';
import { describeRedis } from '../redis/settings.ts';
import type { Config } from './config.ts';

/** Describes the configuration with secrets, tokens and passwords masked. */
export function describeConfig(config: Config): object {
  const { admin, apps, metrics, redis, usage, ...rest } = config;
  return {
    ...rest,
    ...(redis && { redis: describeRedis(redis, HIDDEN) }),
    apps: apps.map((app) => ({
      ...describeShared(app),
      keys: app.keys.map(({ secret, ...key }) => ({
        ...key,
        ...(secret !== undefined && { secret: HIDDEN }),
      })),
      webhooks: app.webhooks.map((webhook) => ({
        ...webhook,
        url: describeUrl(webhook.url),
        headers: hideValues(webhook.headers),
        ...(webhook.secret !== undefined && { secret: HIDDEN }),
        ...(webhook.secrets && { secrets: webhook.secrets.map(() => HIDDEN) }),
      })),
    })),
    admin: {
      ...admin,
      ...(admin.token !== undefined && { token: HIDDEN }),
      tokens: admin.tokens.map((token) => ({ ...token, hash: HIDDEN })),
      ...(admin.oidc && {
        oidc: { ...admin.oidc, clientSecret: HIDDEN, roles: Object.fromEntries(admin.oidc.roles) },
      }),
      ...(admin.masterKey !== undefined && { masterKey: HIDDEN }),
    },
    usage: usage.push
      ? {
          push: {
            ...usage.push,
            url: describeUrl(usage.push.url),
            secret: HIDDEN,
            ...(usage.push.token !== undefined && { token: HIDDEN }),
          },
        }
      : {},
    metrics: { ...metrics, ...(metrics.token !== undefined && { token: HIDDEN }) },
  };
}

function hideValues(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.keys(headers).map((name) => [name, HIDDEN]));
}

function describeShared(app: AppConfig): AppConfig {
  const { grants, tokens, ...rest } = withoutSharedSecrets(app, HIDDEN);
  const { renewal } = grants;
  return {
    ...rest,
    grants: { ...grants, renewal: renewal && { ...renewal, url: describeUrl(renewal.url) } },
    tokens: tokens && {
      ...tokens,
      issuers: tokens.issuers.map(({ jwksUrl, ...issuer }) =>
        jwksUrl === undefined ? issuer : { ...issuer, jwksUrl: describeUrl(jwksUrl) },
      ),
    },
  };
}

/** Describes a URL with its user, the values of its query, and parts of its path that look like a token masked. */
export function describeUrl(text: string): string {
  const url = new URL(text);
  const user = url.username || url.password ? `${HIDDEN}@` : '';
  const path = url.pathname.split('/').map((part) => (isToken(part) ? HIDDEN : part));
  const query = url.search
    .slice(1)
    .split('&')
    .map((part) => (part === '' ? '' : part.includes('=') ? part.replace(/=.*/s, `=${HIDDEN}`) : HIDDEN));
  return `${url.protocol}//${user}${url.host}${path.join('/')}${url.search && `?${query.join('&')}`}`;
}

/** Tokens are longer than words, and have digits. */
function isToken(part: string): boolean {
  return part.length >= 24 || (part.length >= 12 && /\d/.test(part) && /[A-Za-z]/.test(part));
}
