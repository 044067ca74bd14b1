import type { Connected } from './client.ts';
import { connectCluster } from './connect-cluster.ts';
import { connectMaster } from './connect-sentinel.ts';
import { addressOf, ConnectError, connectServer, readConnection } from './connect-server.ts';
import type { RedisSettings } from './settings.ts';

/**
 * Connects. The client never reconnects by itself and queues nothing: what cannot be sent fails at once.
 *
 * @param name the name of the connection in `CLIENT LIST`, without spaces
 * @param timeoutMs milliseconds after which a server that does not answer is given up
 * @throws ConnectError if there is no connection
 * @throws Error if a file of the settings cannot be read
 */
export async function connectRedis(
  settings: RedisSettings,
  name: string,
  timeoutMs: number,
): Promise<Connected> {
  const { url = '', sentinel, cluster } = settings;
  const connection = await readConnection(settings, name, timeoutMs);
  if (sentinel) return connectMaster(sentinel, connection);
  const server = (cluster?.nodes ?? [url]).map(addressOf).join(', ');
  try {
    const client = await (cluster
      ? connectCluster(cluster.nodes, connection)
      : connectServer(url, connection));
    return { client, server };
  } catch (error) {
    throw new ConnectError(server, error);
  }
}
