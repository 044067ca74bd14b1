import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** What proxies and tunnels add to a request. */
const FORWARDING =
  /^(forwarded|via|cdn-loop|x-forwarded.*|x-original-(for|host|proto|forwarded-for)|x-(real|client|cluster-client|envoy-external)-?(ip|address)|true-client-ip|(cf|fastly|fly)-.*)$/;

/** Whether a host is this machine only. */
export function isLoopback(host: string): boolean {
  const family = isIP(host);
  if (family !== 0) return LOOPBACK.check(host, family === 6 ? 'ipv6' : 'ipv4');
  // No name below it can be registered, and browsers do not ask anybody for its address.
  return host === 'localhost' || host.endsWith('.localhost');
}

/**
 * Why a request that came to an address of this machine alone was not made on it; `undefined` if it seems to be. A
 * proxy on the same machine shows itself by what it adds, and a page of another site by the name that it asked for.
 */
export function whyNotLocal({ headers }: IncomingMessage): string | undefined {
  const added = Object.keys(headers).find((name) => FORWARDING.test(name));
  if (added !== undefined) return `it came through a proxy, which added ${added}`;
  if (!isLoopback(hostnameOf(`http://${headers.host ?? ''}`)))
    return 'its Host is not 127.0.0.1 or localhost';
  return undefined;
}

/** The host of a URL, without brackets; empty if it has none. */
export function hostnameOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : '';
}
