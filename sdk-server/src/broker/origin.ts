import { isIPv6 } from 'node:net';
import { assertOption } from '../assert.ts';

const HOST_RULE = 'must be a host name or an address, such as "127.0.0.1"';

/** Whether a host is the loopback, so that traffic stays on this machine. */
export function isLoopback(host: unknown): boolean {
  return typeof host === 'string' && /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
}

/**
 * Returns scheme, host and port of the broker's URLs.
 *
 * @throws ArgumentError `invalid_options` that names the part of `host` that belongs to another option
 */
export function originOf(useTLS: boolean, host: unknown, port: number): string {
  assertOption(typeof host === 'string', `host ${HOST_RULE}`);
  assertOption(!/^[a-z][a-z\d+.-]*:\/\//i.test(host), 'host must have no scheme: set useTLS instead');
  assertOption(!host.includes('/'), 'host must have no path: set path instead');
  const address = isIPv6(host) ? `[${host}]` : host;
  assertOption(!/^([^:]*|\[.*\]):\d*$/.test(address), 'host must have no port: set port instead');
  const isHost = /^([^\s\\@:?#[\]]+|\[[0-9a-f:.]+\])$/i.test(address);
  const origin = `${useTLS ? 'https' : 'http'}://${address}:${port}`;
  assertOption(isHost && URL.canParse(origin), `host ${HOST_RULE}`);
  return new URL(origin).origin;
}
