import { createClient } from 'redis';
import type { RedisSettings } from './settings.ts';
import { within } from './within.ts';

/**
 * Asks the sentinels, one after the other, for the server that is the master now.
 *
 * @param timeoutMs after which a sentinel that does not answer is given up
 * @returns its URL
 * @throws Error what the last one failed with, if none answers
 */
export async function masterOf(
  { name, nodes, username = '', password = '' }: NonNullable<RedisSettings['sentinel']>,
  timeoutMs: number,
): Promise<string> {
  let failure: unknown;
  for (const url of nodes) {
    try {
      const [host, port] = await ask(url, name, timeoutMs);
      const server = new URL(`${new URL(url).protocol}//${host.includes(':') ? `[${host}]` : host}:${port}`);
      server.username = username;
      server.password = password;
      return server.href;
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

async function ask(url: string, name: string, timeoutMs: number): Promise<readonly [string, string]> {
  const client = createClient({
    url,
    disableOfflineQueue: true,
    socket: { connectTimeout: timeoutMs, reconnectStrategy: false },
  });
  client.on('error', () => {});
  try {
    const answer = client
      .connect()
      .then(() => client.sendCommand(['SENTINEL', 'get-master-addr-by-name', name]));
    const address: unknown = await within(timeoutMs, answer);
    if (!Array.isArray(address)) throw new Error(`The sentinels know no server called "${name}"`);
    return [String(address[0]), String(address[1])];
  } finally {
    if (client.isOpen) client.destroy();
  }
}
