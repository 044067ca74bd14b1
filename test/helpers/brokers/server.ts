import { type Broker, type BrokerParts, createServer, parseConfig } from '@countersign/server';
import { onTestFinished } from 'vitest';

/** Who signs: an app by one of its keys. */
export interface Credentials {
  readonly id: string;
  readonly key: string;
  readonly secret: string;
}

export const APP = { id: 'app-1', key: 'key-1', secret: 'secret-1' } as const;
export const OTHER_APP = { id: 'other-app', key: 'other-key', secret: 'other-secret' } as const;

/** The settings of a test: those of the file, each optional, with `APP`, as set, and `OTHER_APP`. */
export interface ServerSettings {
  readonly app?: Readonly<Record<string, unknown>>;
  readonly limits?: Readonly<Record<string, unknown>>;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly parts?: BrokerParts;
}

/** Starts a broker on a free port of the loopback, and closes it when the test ends. */
export async function startServer(settings: ServerSettings = {}): Promise<Broker> {
  const broker = await createServer(configOf(settings), settings.parts);
  onTestFinished(() => broker.close());
  return broker;
}

export function configOf({ app, limits, config }: ServerSettings = {}) {
  return parseConfig({
    host: '127.0.0.1',
    port: 0,
    drainWindowSeconds: 0,
    // Workers start sooner cold.
    warmUpSeconds: 0,
    ...config,
    apps: [
      { id: APP.id, keys: [{ key: APP.key, secret: APP.secret }], limits: { ...limits }, ...app },
      { id: OTHER_APP.id, keys: [{ key: OTHER_APP.key, secret: OTHER_APP.secret }] },
    ],
  });
}
