import { isIPv6 } from 'node:net';
import type { Request } from 'express';
import type { Logger } from './answer.ts';

/**
 * Limit of requests from one address (IPv6: from one /56 network).
 *
 * @example
 * ```ts
 * const rateLimit: AddressLimitOptions = { limit: 30, windowSeconds: 10 };
 * authRouter(countersign, { user: () => ({ id: 'ann' }), canAccess: () => true, rateLimit });
 * ```
 */
export interface AddressLimitOptions {
  /** Requests in one window; a whole number from 1. @default 100 */
  readonly limit?: number | undefined;
  /** Length of a window, in seconds; a whole number from 1. @default 60 */
  readonly windowSeconds?: number | undefined;
}

/** Addresses counted in one window; further addresses are not limited. */
const MAX_ADDRESSES = 100_000;
const NO_ADDRESS =
  'authorization rate limit: requests without an address are not limited; set "trust proxy" in Express';
const ONE_ADDRESS =
  'authorization rate limit: all clients behind the proxy share one, because X-Forwarded-For is ignored; set "trust proxy" in Express';
const FULL = 'authorization rate limit: too many addresses to count each';
const PORT = /^(?:(\d{1,3}(?:\.\d{1,3}){3})|\[([\da-f:.]+)\]):\d+$/i;
const IPV4_IN_IPV6 = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i;

/** Counts the requests of each address, in windows that are the same for all addresses. */
export class AddressLimit {
  readonly limit: number;
  readonly #windowMs: number;
  readonly #logger: Logger;
  readonly #counts = new Map<string, number>();
  #endsAt = 0;
  /** Messages logged already: each once, `FULL` once per window. */
  readonly #logged = new Set<string>();

  constructor({ limit = 100, windowSeconds = 60 }: AddressLimitOptions, logger: Logger) {
    this.limit = limit;
    this.#windowMs = windowSeconds * 1000;
    this.#logger = logger;
  }

  /** Counts a request. @returns the seconds until the next window if the request exceeds the limit */
  admit(req: Request): number | undefined {
    const now = performance.now();
    if (now >= this.#endsAt) this.#begin(now);
    if (req.ip === undefined || req.ip === '') {
      // Behind a unix socket all clients have the proxy's address: a shared limit would let one client lock out the others.
      this.#logOnce('error', NO_ADDRESS);
      return undefined;
    }
    if (req.headers['x-forwarded-for'] !== undefined && req.app.get('trust proxy') === false) {
      this.#logOnce('error', ONE_ADDRESS);
    }
    const address = networkOf(req.ip);
    const count = (this.#counts.get(address) ?? 0) + 1;
    if (count > this.limit) return Math.ceil((this.#endsAt - now) / 1000);
    if (count > 1 || this.#counts.size < MAX_ADDRESSES) this.#counts.set(address, count);
    else this.#logOnce('warn', FULL);
    return undefined;
  }

  #begin(now: number): void {
    this.#counts.clear();
    this.#logged.delete(FULL);
    this.#endsAt = now + this.#windowMs;
  }

  #logOnce(level: 'warn' | 'error', text: string): void {
    if (this.#logged.has(text)) return;
    this.#logged.add(text);
    this.#logger[level]({}, text);
  }
}

/** The unit that is limited: an IPv4 address, or an IPv6 network of 56 bits, which one customer may own. */
function networkOf(ip: string): string {
  const [, ipv4, ipv6] = PORT.exec(ip) ?? [];
  const address = ipv4 ?? ipv6 ?? ip;
  const inside = IPV4_IN_IPV6.exec(address)?.[1];
  if (inside !== undefined || !isIPv6(address)) return inside ?? address;
  // A URL has the shortest form of an address, without leading zeros in its groups.
  const [head = '', tail = ''] = new URL(`http://[${address.split('%', 1)[0]}]`).hostname
    .slice(1, -1)
    .split('::');
  const [before, after] = [head, tail].map((groups) => groups.split(':').filter((group) => group !== ''));
  const zeros = Array<string>(8 - before!.length - after!.length).fill('0');
  const network = [...before!, ...zeros, ...after!].slice(0, 4).map((group) => group.padStart(4, '0'));
  return network.join('').slice(0, 14);
}
