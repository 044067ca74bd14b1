import type { AppConfig } from '../apps/app.ts';
import { MAKE_WEBHOOK_SECRET, secretsOf } from '../apps/hook.ts';
import { isDocumented, isGuessable, isGuessableWebhookSecret } from '../apps/keys/guessable.ts';
import { hideSecret } from '../log/secret-mask.ts';
import type { Config } from './config.ts';
import { ConfigError } from './error.ts';

/** The length from which a random secret of any alphabet cannot be found by trying. */
const SAFE_LENGTH = 32;
/** Stands for the secret of a client key, which nobody needs to warn about. */
const NO_SECRET = ' '.repeat(SAFE_LENGTH);

/**
 * Refuses secrets that an attacker with a single signature can guess: every client receives signatures.
 *
 * @throws ConfigError that names the paths of the secrets, and not their values
 */
export function refuseGuessable({ admin, apps, metrics, usage }: Config): void {
  const secrets = apps.flatMap(({ keys }, app) =>
    keys.flatMap(({ secret }, key) =>
      secret !== undefined && isGuessable(secret) ? [`apps[${app}].keys[${key}].secret`] : [],
    ),
  );
  apps.forEach(({ tokens }, app) => {
    for (const [issuer, { secret }] of tokens?.issuers.entries() ?? []) {
      if (secret !== undefined && isGuessable(secret))
        secrets.push(`apps[${app}].tokens.issuers[${issuer}].secret`);
    }
  });
  if (metrics.token !== undefined && isGuessable(metrics.token)) secrets.push('metrics.token');
  // Nobody has a signature of it by which to search, so any other text is left to the operator.
  if (admin.token !== undefined && isDocumented(admin.token)) secrets.push('admin.token');
  const hookSecrets = apps.flatMap(({ webhooks, grants: { renewal } }, app) => [
    ...webhooks.flatMap((webhook, hook) =>
      secretsOf(webhook).some(isGuessableWebhookSecret) ? [`apps[${app}].webhooks[${hook}]`] : [],
    ),
    ...(renewal && isGuessableWebhookSecret(renewal.secret) ? [`apps[${app}].grants.renewal`] : []),
  ]);
  if (usage.push && isGuessableWebhookSecret(usage.push.secret)) hookSecrets.push('usage.push');
  if (secrets.length + hookSecrets.length === 0) return;
  throw new ConfigError(undefined, [
    ...secrets.map((place) => `${place}: ${adviceFor('it', 'openssl rand -hex 32')}`),
    ...hookSecrets.map((place) => `${place}: ${adviceFor('its secret', MAKE_WEBHOOK_SECRET)}`),
  ]);
}

function adviceFor(what: string, command: string): string {
  return `everybody can guess ${what}, because it is in documentation or a list of passwords; create one with ${command}`;
}

/** The secrets of apps that are shorter than is safe. */
export function shortSecrets({
  apps,
}: Config): { readonly appId: string; readonly key: string; readonly characters: number }[] {
  return apps.flatMap(({ id: appId, keys }) =>
    keys.flatMap(({ key, secret = NO_SECRET }) =>
      secret.length < SAFE_LENGTH ? [{ appId, key, characters: secret.length }] : [],
    ),
  );
}

/** The length from which the value of a header, or of a parameter in a URL, is masked in the log. */
const SECRET_VALUE = 16;

/** Keeps the secrets of a configuration out of the log, wherever a client or operator puts them by mistake. */
export function hideSecrets({ admin, apps, metrics, redis, usage }: Config): void {
  hideSecretsOf(apps);
  const urls = [redis?.url, ...(redis?.sentinel?.nodes ?? []), ...(redis?.cluster?.nodes ?? [])];
  const passwords = urls.map((url) =>
    url === undefined ? undefined : decodeURIComponent(new URL(url).password),
  );
  const others = [
    usage.push?.secret,
    usage.push?.token,
    metrics.token,
    admin.token,
    admin.masterKey,
    admin.oidc?.clientSecret,
    redis?.sentinel?.password,
  ];
  for (const text of [...others, ...passwords]) if (text) hideSecret(text);
}

/** The same for the apps of a reload. */
export function hideSecretsOf(apps: readonly AppConfig[]): void {
  for (const { keys, webhooks, grants, tokens } of apps) {
    for (const { secret } of keys) if (secret !== undefined) hideSecret(secret);
    for (const { secret, jwksUrl } of tokens?.issuers ?? []) {
      if (secret !== undefined) hideSecret(secret);
      if (jwksUrl !== undefined) hideParameters(jwksUrl);
    }
    if (grants.renewal) {
      hideWebhookSecret(grants.renewal.secret);
      hideParameters(grants.renewal.url);
    }
    for (const webhook of webhooks) {
      const { url, headers } = webhook;
      for (const secret of secretsOf(webhook)) hideWebhookSecret(secret);
      hideParameters(url);
      hideLong(Object.values(headers).flatMap((value) => value.split(' ')));
    }
  }
}

function hideParameters(url: string): void {
  hideLong(new URL(url).searchParams.values());
}

function hideLong(values: Iterable<string>): void {
  for (const value of values) if (value.length >= SECRET_VALUE) hideSecret(value);
}

/** Also without its prefix, as libraries take it. */
function hideWebhookSecret(secret: string): void {
  hideSecret(secret);
  hideSecret(secret.slice(secret.indexOf('_') + 1));
}
