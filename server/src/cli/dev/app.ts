import { randomBytes } from 'node:crypto';
import type { Config, ConfigInput } from '../../config/config.ts';
import { ConfigError } from '../../config/error.ts';

/** The app of `countersign dev`. */
export interface DevApp {
  readonly id: string;
  readonly key: string;
  readonly secret: string;
}

/** @param secret a random one at each start, unless given */
export function devApp(secret: string = randomBytes(32).toString('hex')): DevApp {
  return { id: '1', key: 'dev-key', secret };
}

/** What `countersign dev` runs with, before environment and flags. */
export function devConfig({ id, key, secret }: DevApp): ConfigInput {
  return {
    apps: [
      {
        id,
        name: 'Development',
        keys: [{ key, secret }],
        explainRefusals: true,
        subscriptionCount: true,
      },
    ],
    drainWindowSeconds: 0,
    log: { pretty: true },
  };
}

/** @throws ConfigError if `countersign dev` were to be reached from outside, or to serve anything but its own app */
export function refuseOtherThanDev(
  { host, apps, tls, pathPrefix }: Config,
  { id, key, secret }: DevApp,
): void {
  const problems: string[] = [];
  if (host !== '127.0.0.1') {
    problems.push(`host: got "${host}", expected "127.0.0.1", since everybody may look at its console`);
  }
  const [app] = apps;
  const [own] = app?.keys ?? [];
  const isOwn = apps.length === 1 && app?.id === id && own?.key === key && own.secret === secret;
  if (!isOwn || tls || pathPrefix) {
    problems.push('apps, tls and pathPrefix belong to countersign start, expected none');
  }
  if (problems.length > 0) throw new ConfigError(undefined, problems);
}
