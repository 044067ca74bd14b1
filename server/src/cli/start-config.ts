/** The configuration of `countersign start`, with what only a start requires. */
import { hasAdmin } from '../config/admin.ts';
import type { Config } from '../config/config.ts';
import { ConfigError } from '../config/error.ts';
import { loadConfig } from '../config/load.ts';
import { refuseGuessable } from '../config/secrets.ts';
import type { InheritedSocket } from '../http/sockets/inherited-socket.ts';

export interface StartFlags {
  readonly config?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: string | undefined;
}

const MINIMAL_FILE =
  '{ "apps": [{ "id": "1", "keys": [{ "key": "key-1", "secret": "replace-me-with-openssl-rand-hex-32" }] }] }';

/** @throws ConfigError */
export async function loadForStart(flags: StartFlags, socket?: InheritedSocket): Promise<Config> {
  const loaded = await loadConfig({ file: flags.config, env: process.env, flags });
  // Who may see the metrics and the console depends on where the broker really listens.
  const config = socket ? { ...loaded, host: socket.host, port: socket.port } : loaded;
  if (config.apps.length === 0 && !hasAdmin(config.admin)) {
    throw new ConfigError(flags.config, [
      `apps: there is none, so nobody could connect; a minimal file is ${MINIMAL_FILE}`,
    ]);
  }
  refuseGuessable(config);
  return config;
}
