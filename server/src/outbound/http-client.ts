import { type LookupAddress, lookup } from 'node:dns';
import {
  type ClientRequest,
  Agent as HttpAgent,
  type IncomingMessage,
  request as requestHttp,
} from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { isPublicAddress } from './public-addresses.ts';

/** What became of a request: `refused` by a status other than 2xx, `forbidden` by the rule for addresses. */
export const OUTCOMES = ['delivered', 'refused', 'timeout', 'unreachable', 'forbidden'] as const;
export type Outcome = (typeof OUTCOMES)[number];

export interface Answer {
  readonly outcome: Outcome;
  /** `null` if no whole answer came. */
  readonly status: number | null;
  /** The first bytes of the answer, as many as are kept, or why none came. */
  readonly text: string;
  /** For how long the receiver does not want to be asked again, in milliseconds, if it said so. */
  readonly retryAfterMs: number | undefined;
}

export interface OutboundClientParts {
  /** `public`: no address is called that is not one of the public internet. */
  readonly addresses: 'public' | 'any';
  /** For the whole exchange. */
  readonly timeoutMs: number;
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
  /** Bytes of the answer that are kept. @default 200 */
  readonly keptBytes?: number;
}

const KEPT_BYTES = 200;
/** What a receiver may answer at least; more is not waited for. */
const ANSWER_BYTES = 65_536;
const IDLE_MS = 10_000;

class ForbiddenAddress extends Error {}
class TooLate extends Error {}

/** Asks the servers of customers, and follows no redirect. */
export class OutboundClient {
  readonly #parts: OutboundClientParts;
  readonly #http = new HttpAgent({ keepAlive: true, timeout: IDLE_MS });
  readonly #https = new HttpsAgent({ keepAlive: true, timeout: IDLE_MS });
  readonly #underWay = new Set<ClientRequest>();
  #isCutOff = false;

  constructor(parts: OutboundClientParts) {
    this.#parts = parts;
  }

  /**
   * Never rejects: whatever goes wrong is told by the answer. There is none if the request was cut off.
   *
   * @param onSent is called once the request has left this process
   */
  async post(
    url: string,
    headers: Readonly<Record<string, string>>,
    body: string,
    onSent?: () => void,
  ): Promise<Answer | undefined> {
    return this.#answerTo(this.#exchange('POST', url, headers, body, onSent));
  }

  /** Reads what is at a URL, as {@link post} does. */
  async get(url: string, headers: Readonly<Record<string, string>>): Promise<Answer | undefined> {
    return this.#answerTo(this.#exchange('GET', url, headers));
  }

  async #answerTo(exchange: Promise<Answer>): Promise<Answer | undefined> {
    try {
      return await exchange;
    } catch (error) {
      if (this.#isCutOff) return undefined;
      return { outcome: outcomeOf(error), status: null, text: reasonOf(error), retryAfterMs: undefined };
    }
  }

  /** Ends all requests at once: nobody knows what became of them. */
  cutOff(): void {
    this.#isCutOff = true;
    for (const request of this.#underWay) request.destroy(new Error('The broker ends'));
  }

  /** Ends connections that are kept for later. */
  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  async #exchange(
    method: 'GET' | 'POST',
    to: string,
    headers: Readonly<Record<string, string>>,
    body?: string,
    onSent?: () => void,
  ): Promise<Answer> {
    const url = new URL(to);
    const { addresses, timeoutMs } = this.#parts;
    const isGuarded = addresses === 'public';
    // Names are judged when they are looked up; an address that stands in the URL is not looked up.
    if (isGuarded && isIP(hostOf(url)) !== 0 && !isPublicAddress(hostOf(url))) {
      throw new ForbiddenAddress();
    }
    const options = {
      method,
      headers: body === undefined ? headers : { ...headers, 'Content-Length': Buffer.byteLength(body) },
      ...(isGuarded && { lookup: publicLookup }),
    };
    return new Promise((resolve, reject) => {
      const request =
        url.protocol === 'https:'
          ? requestHttps(url, { ...options, agent: this.#https })
          : requestHttp(url, { ...options, agent: this.#http });
      this.#underWay.add(request);
      const timer = setTimeout(() => {
        reject(new TooLate());
        request.destroy();
      }, timeoutMs);
      if (isGuarded) request.once('socket', refusePrivate);
      if (onSent) request.once('finish', onSent);
      request.on('error', reject);
      request.once('close', () => {
        clearTimeout(timer);
        this.#underWay.delete(request);
      });
      request.once('response', (response) => {
        this.#read(response).then(resolve, reject);
      });
      request.end(body);
    });
  }

  async #read(response: IncomingMessage): Promise<Answer> {
    const { keptBytes = KEPT_BYTES } = this.#parts;
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of response) {
      if (bytes < keptBytes) chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > Math.max(keptBytes, ANSWER_BYTES)) break;
    }
    const status = response.statusCode ?? 0;
    return {
      outcome: status >= 200 && status < 300 ? 'delivered' : 'refused',
      status,
      text: Buffer.concat(chunks).subarray(0, keptBytes).toString(),
      retryAfterMs: retryAfterOf(response.headers['retry-after'], this.#parts.now()),
    };
  }
}

/** Looks a name up as usual, and answers public addresses only, so that no other is called. */
const publicLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, found) => {
    if (error) return callback(error, []);
    const allowed: LookupAddress[] = found.filter(({ address }) => isPublicAddress(address));
    const [first] = allowed;
    if (!first) return callback(new ForbiddenAddress(), []);
    if (options.all) callback(null, allowed);
    else callback(null, first.address, first.family);
  });
};

/** The last word has the address that is connected to; nothing was written by then. */
function refusePrivate(socket: Socket): void {
  if (!socket.connecting) return;
  socket.prependOnceListener('connect', () => {
    if (!isPublicAddress(socket.remoteAddress ?? '')) socket.destroy(new ForbiddenAddress());
  });
}

/** Without the brackets of IPv6. */
function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

function outcomeOf(error: unknown): Outcome {
  if (error instanceof ForbiddenAddress) return 'forbidden';
  return error instanceof TooLate ? 'timeout' : 'unreachable';
}

function reasonOf(error: unknown): string {
  if (error instanceof ForbiddenAddress) return 'the address is not public, and webhookAddresses is "public"';
  if (error instanceof TooLate) return 'no whole answer in time';
  const code = error instanceof Error && 'code' in error ? `${error.code}: ` : '';
  return `${code}${error instanceof Error ? error.message : String(error)}`.slice(0, KEPT_BYTES);
}

/** Seconds, or a date of HTTP. */
function retryAfterOf(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
  return ms > 0 ? ms : undefined;
}
