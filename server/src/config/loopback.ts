import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Headers that proxies and tunnels add to a request. */
const FORWARDING =
  /^(forwarded|via|cdn-loop|x-forwarded.*|x-original-(for|host|proto|forwarded-for)|x-(real|client|cluster-client|envoy-external)-?(ip|address)|true-client-ip|(cf|fastly|fly)-.*)$/;

/** Whether a host name or address is that of this machine only. */
export function isLoopback(host: string): boolean {
  const family = isIP(host);
  if (family !== 0) return LOOPBACK.check(host, family === 6 ? 'ipv6' : 'ipv4');
  // Nobody can register a name below it, and browsers do not look up its address.
  return host === 'localhost' || host.endsWith('.localhost');
}

/**
 * Why a request that arrived on loopback was not made on this machine; `undefined` if it seems to be. A proxy on the
 * same machine is recognized by the headers that it adds, and a page of another site by the host that it asked for.
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
