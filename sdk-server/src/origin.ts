import { isIPv6 } from 'node:net';
import { assertOption } from './assert.ts';

const HOST_RULE = 'must be a host name or an address, such as "127.0.0.1"';

/** Whether nobody is on the way to this host. */
export function isLoopback(host: unknown): boolean {
  return typeof host === 'string' && /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
}

/**
 * Scheme, host and port as a URL has them.
 *
 * @throws ArgumentError `invalid_options` that tells which part of `host` belongs elsewhere
 */
export function originOf(useTLS: boolean, host: unknown, port: number): string {
  assertOption(typeof host === 'string', `host ${HOST_RULE}`);
  assertOption(
    !/^[a-z][a-z\d+.-]*:\/\//i.test(host),
    'host must have no scheme: useTLS says which one it is',
  );
  assertOption(!host.includes('/'), 'host must have no path: path says what comes before /apps');
  const address = isIPv6(host) ? `[${host}]` : host;
  assertOption(!/^([^:]*|\[.*\]):\d*$/.test(address), 'host must have no port: port says which one it is');
  const isHost = /^([^\s\\@:?#[\]]+|\[[0-9a-f:.]+\])$/i.test(address);
  const origin = `${useTLS ? 'https' : 'http'}://${address}:${port}`;
  assertOption(isHost && URL.canParse(origin), `host ${HOST_RULE}`);
  return new URL(origin).origin;
}
