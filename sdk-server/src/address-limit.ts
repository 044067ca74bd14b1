import { isIPv6 } from 'node:net';
import type { Request } from 'express';
import type { Logger } from './answer.ts';

/** How many requests one address may make. */
export interface AddressLimitOptions {
  /** Requests within one window. @default 100 */
  readonly limit?: number | undefined;
  /** @default 60 */
  readonly windowSeconds?: number | undefined;
}

/** Addresses that are counted within one window; past them, new ones are let in. */
const MAX_ADDRESSES = 100_000;
const NO_ADDRESS = 'authorization rate limit: no address, so no limit; set "trust proxy" in Express';
const ONE_ADDRESS =
  'authorization rate limit: one for all behind the proxy, whose X-Forwarded-For is ignored; set "trust proxy" in Express';
const FULL = 'authorization rate limit: too many addresses to count each';
const PORT = /^(?:(\d{1,3}(?:\.\d{1,3}){3})|\[([\da-f:.]+)\]):\d+$/i;
const IPV4_IN_IPV6 = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i;

/** Counts the requests of each address, in windows that begin and end for all at once. */
export class AddressLimit {
  readonly limit: number;
  readonly #windowMs: number;
  readonly #logger: Logger;
  readonly #counts = new Map<string, number>();
  #endsAt = 0;
  /** What was told: of the settings of Express once, of too many addresses once for each window. */
  readonly #told = new Set<string>();

  constructor({ limit = 100, windowSeconds = 60 }: AddressLimitOptions, logger: Logger) {
    this.limit = limit;
    this.#windowMs = windowSeconds * 1000;
    this.#logger = logger;
  }

  /** Counts a request. @returns the seconds until the next window if this one has no room for it */
  admit(req: Request): number | undefined {
    const now = performance.now();
    if (now >= this.#endsAt) this.#begin(now);
    if (req.ip === undefined || req.ip === '') {
      // Behind a unix socket everybody is the proxy: one count for all would let one of them lock out the others.
      this.#tell('error', NO_ADDRESS);
      return undefined;
    }
    if (req.headers['x-forwarded-for'] !== undefined && req.app.get('trust proxy') === false) {
      this.#tell('error', ONE_ADDRESS);
    }
    const address = networkOf(req.ip);
    const count = (this.#counts.get(address) ?? 0) + 1;
    if (count > this.limit) return Math.ceil((this.#endsAt - now) / 1000);
    if (count > 1 || this.#counts.size < MAX_ADDRESSES) this.#counts.set(address, count);
    else this.#tell('warn', FULL);
    return undefined;
  }

  #begin(now: number): void {
    this.#counts.clear();
    this.#told.delete(FULL);
    this.#endsAt = now + this.#windowMs;
  }

  #tell(level: 'warn' | 'error', text: string): void {
    if (this.#told.has(text)) return;
    this.#told.add(text);
    this.#logger[level]({}, text);
  }
}

/** Whom an address belongs to: one host by IPv4, one network of 56 bits by IPv6, where a customer has many. */
function networkOf(ip: string): string {
  const [, ipv4, ipv6] = PORT.exec(ip) ?? [];
  const address = ipv4 ?? ipv6 ?? ip;
  const inside = IPV4_IN_IPV6.exec(address)?.[1];
  if (inside !== undefined || !isIPv6(address)) return inside ?? address;
  // A URL has the shortest form of an address, in which every zero at the beginning of a group is gone.
  const [head = '', tail = ''] = new URL(`http://[${address.split('%', 1)[0]}]`).hostname
    .slice(1, -1)
    .split('::');
  const [before, after] = [head, tail].map((groups) => groups.split(':').filter((group) => group !== ''));
  const zeros = Array<string>(8 - before!.length - after!.length).fill('0');
  const network = [...before!, ...zeros, ...after!].slice(0, 4).map((group) => group.padStart(4, '0'));
  return network.join('').slice(0, 14);
}
