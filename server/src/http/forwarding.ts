import type { IncomingMessage } from 'node:http';
import { isIP, isIPv4 } from 'node:net';
import express from 'express';
import { ipKeyGenerator } from 'express-rate-limit';
import type { Config } from '../config/config.ts';

/** A client, as the proxies in front of the broker describe it. */
export interface Forwarding {
  /** The client's address. */
  addressOf(request: IncomingMessage): string;
  /** Whether the client uses TLS. */
  isSecure(request: IncomingMessage): boolean;
  /** Whether the address that connected is a trusted proxy. */
  isProxy(address: string): boolean;
}

/** Reads the headers of proxies, and believes only those that the configuration trusts, as Express does. */
export function readForwarding(trustProxy: Config['trustProxy']): Forwarding {
  const app = express().set('trust proxy', trustProxy);
  const trust = app.get('trust proxy fn') as (address: string, hop: number) => boolean;
  const clientOf = (request: IncomingMessage): Client => {
    let client: Client = { address: peerOf(request), proto: undefined };
    if (trustProxy === false) return client;
    for (const [index, { address, proto }] of hopsOf(request).entries()) {
      // A text that is not an address is the proxy's own name for a client; the proxy's address counts instead.
      if (!trust(client.address, index) || address === undefined) break;
      client = { address, proto };
    }
    return client;
  };
  return {
    addressOf: (request) => clientOf(request).address,
    isSecure(request) {
      if ('encrypted' in request.socket) return true;
      if (!trust(peerOf(request), 0)) return false;
      const header = request.headers['x-forwarded-proto'];
      const proto = typeof header === 'string' ? header.split(',', 1)[0]?.trim() : clientOf(request).proto;
      return proto === 'https';
    },
    isProxy: (address) => trust(readAddress(address) ?? '', 0),
  };
}

/** The key of limits per address: a network of IPv6, because one client has 2^64 addresses to choose from. */
export function addressKey(address: string): string {
  return ipKeyGenerator(address, 64);
}

interface Client {
  readonly address: string;
  /** The protocol by which the client reached the proxy, if the proxy says so. */
  readonly proto: string | undefined;
}

/** A client, as one proxy describes it. */
interface Hop {
  readonly address: string | undefined;
  readonly proto: string | undefined;
}

function peerOf({ socket }: IncomingMessage): string {
  return readAddress(socket.remoteAddress ?? '') ?? '';
}

/** The nearest proxy first, from `X-Forwarded-For`, or without it from `Forwarded` (RFC 7239). */
function hopsOf({ headers }: IncomingMessage): Hop[] {
  const addresses = headers['x-forwarded-for'];
  if (addresses !== undefined) {
    const texts = String(addresses).split(',').reverse();
    return texts.map((text) => ({ address: readAddress(text), proto: undefined }));
  }
  const { forwarded } = headers;
  if (forwarded === undefined) return [];
  return forwarded
    .split(',')
    .reverse()
    .map((element) => ({
      address: readAddress(parameterOf(element, 'for') ?? ''),
      proto: parameterOf(element, 'proto')?.toLowerCase(),
    }));
}

function parameterOf(element: string, name: string): string | undefined {
  for (const pair of element.split(';')) {
    const [key, value] = pair.split('=', 2);
    if (key?.trim().toLowerCase() === name) return value?.trim().replace(/^"(.*)"$/, '$1');
  }
  return undefined;
}

/** Reads an IP address, with or without a port, brackets or a zone; `undefined` if it is not one. */
function readAddress(text: string): string | undefined {
  const [, bracketed, plain = ''] = /^\[([^\]]*)\](?::\d+)?$|^(.*)$/s.exec(text.trim()) ?? [];
  const [, withoutPort = plain] = /^([\d.]+):\d+$/.exec(plain) ?? [];
  const [withoutZone = ''] = (bracketed ?? withoutPort).split('%', 1);
  const address = withoutZone.toLowerCase();
  const [, mapped = address] = /^::ffff:([\d.]+)$/.exec(address) ?? [];
  if (isIPv4(mapped)) return mapped;
  return isIP(address) === 0 ? undefined : address;
}
