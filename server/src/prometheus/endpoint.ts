import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';
import type { Config } from '../config/config.ts';
import { isLoopback, whyNotLocal } from '../config/loopback.ts';

/** The metrics in the format of Prometheus. */
export type MetricsText = Pick<Registry, 'contentType' | 'metrics'>;

/** Answers `GET /metrics`. */
export class MetricsEndpoint {
  readonly #registry: MetricsText;
  readonly #tokenHash: Buffer | undefined;
  readonly #onMainPort: boolean;
  /** Whether nobody but this machine may ask. */
  readonly #localOnly: boolean;

  constructor(registry: MetricsText, { host, metrics: { port, token } }: Config) {
    this.#registry = registry;
    this.#tokenHash = token === undefined ? undefined : hash(token);
    this.#localOnly = token === undefined && isLoopback(host);
    this.#onMainPort = port === undefined && (token !== undefined || this.#localOnly);
  }

  /**
   * Whether the broker's own port answers too: not if there is a port for it, and without a token only if nobody
   * but this machine can ask.
   */
  get onMainPort(): boolean {
    return this.#onMainPort;
  }

  /** Answers any request. */
  readonly handle = (request: IncomingMessage, response: ServerResponse): void => {
    const [path] = (request.url ?? '').split('?', 1);
    if (path !== '/metrics') return say(response, 404, 'The metrics are at /metrics');
    this.answer(request, response);
  };

  /** Answers a request that came to the right path. */
  readonly answer = (request: IncomingMessage, response: ServerResponse): void => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return say(response, 405, 'Ask with GET', { Allow: 'GET, HEAD' });
    }
    const reason = this.#localOnly ? whyNotLocal(request) : undefined;
    if (reason !== undefined) {
      return say(response, 403, `Without metrics.token they are for this machine only, and ${reason}`);
    }
    if (!this.#allows(request.headers.authorization)) {
      return say(response, 401, 'Send the configured token: Authorization: Bearer TOKEN', {
        'WWW-Authenticate': 'Bearer',
      });
    }
    this.#registry.metrics().then(
      (text) => say(response, 200, text, { 'Content-Type': this.#registry.contentType }),
      () => say(response, 500, 'The metrics could not be read'),
    );
  };

  #allows(authorization: string | undefined): boolean {
    if (!this.#tokenHash) return true;
    const [, token] = /^Bearer (.+)$/i.exec(authorization ?? '') ?? [];
    return token !== undefined && timingSafeEqual(hash(token), this.#tokenHash);
  }
}

/** Texts of any length become equally long, as a comparison in constant time needs. */
function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function say(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', ...headers });
  response.end(text.endsWith('\n') ? text : `${text}\n`);
}
