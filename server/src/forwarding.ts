import type { IncomingMessage } from 'node:http';
import express from 'express';
import proxyaddr from 'proxy-addr';
import type { Config } from './config.ts';

/** What proxies in front of the broker say of a client. */
export interface Forwarding {
  /** The client's address. */
  addressOf(request: IncomingMessage): string;
  /** Whether the client uses TLS. */
  isSecure(request: IncomingMessage): boolean;
}

/** Believes the `X-Forwarded-*` headers of those proxies only that the configuration trusts, as express does. */
export function readForwarding(trustProxy: Config['trustProxy']): Forwarding {
  const app = express().set('trust proxy', trustProxy);
  const trust = app.get('trust proxy fn') as (address: string, hop: number) => boolean;
  return {
    addressOf: (request) =>
      trustProxy === false ? (request.socket.remoteAddress ?? '') : proxyaddr(request, trust),
    isSecure(request) {
      if ('encrypted' in request.socket) return true;
      const header = request.headers['x-forwarded-proto'];
      if (typeof header !== 'string' || !trust(request.socket.remoteAddress ?? '', 0)) return false;
      return header.split(',', 1)[0]?.trim() === 'https';
    },
  };
}
