import { isGuessable } from './apps/guessable.ts';
import type { Config } from './config.ts';
import { ConfigError } from './config-error.ts';

/** Characters from which a random secret cannot be found by trying, whatever its alphabet. */
const SAFE_LENGTH = 32;

/**
 * Refuses secrets that somebody finds who has seen a single signature: every client is handed signatures of its own.
 *
 * @throws ConfigError that names where they stand, and never says them
 */
export function refuseGuessable({ apps, metrics }: Config): void {
  const places = apps.flatMap(({ keys }, app) =>
    keys.flatMap(({ secret }, key) => (isGuessable(secret) ? [`apps[${app}].keys[${key}].secret`] : [])),
  );
  if (metrics.token !== undefined && isGuessable(metrics.token)) places.push('metrics.token');
  if (places.length === 0) return;
  const advice =
    'everybody can guess it, since it stands in a documentation or a list of passwords; make your own with openssl rand -hex 32';
  throw new ConfigError(
    undefined,
    places.map((place) => `${place}: ${advice}`),
  );
}

/** The secrets of apps that are shorter than what is safe. */
export function shortSecrets({
  apps,
}: Config): { readonly appId: string; readonly key: string; readonly characters: number }[] {
  return apps.flatMap(({ id: appId, keys }) =>
    keys
      .filter(({ secret }) => secret.length < SAFE_LENGTH)
      .map(({ key, secret }) => ({ appId, key, characters: secret.length })),
  );
}
