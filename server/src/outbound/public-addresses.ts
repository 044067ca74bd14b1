import { BlockList, isIP } from 'node:net';

/** Special-purpose addresses of IPv4 (RFC 6890), multicast, and what is reserved. */
const PRIVATE_IPV4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const;

/**
 * Addresses that look public and lead into the network of a cloud from its own machines only: Azure's wire server, which
 * hands out certificates and settings, and the services of IBM Cloud. Other clouds have theirs among the special ones.
 */
const CLOUD_IPV4 = [
  ['161.26.0.0', 16],
  ['166.8.0.0', 14],
  ['168.63.129.16', 32],
] as const;

/** Within the one part of IPv6 that is routed: documentation, and what carries an IPv4 address inside. */
const PRIVATE_IPV6 = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const;

const privateAddresses = new BlockList();
for (const [network, prefix] of [...PRIVATE_IPV4, ...CLOUD_IPV4])
  privateAddresses.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of PRIVATE_IPV6) privateAddresses.addSubnet(network, prefix, 'ipv6');
const routedIpv6 = new BlockList();
routedIpv6.addSubnet('2000::', 3, 'ipv6');

/** Whether an address is one of the public internet; what is no address is not. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !privateAddresses.check(address, 'ipv4');
    case 6:
      return routedIpv6.check(address, 'ipv6') && !privateAddresses.check(address, 'ipv6');
    default:
      return false;
  }
}
