import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { failureText } from '../auth/request-advice.ts';
import { NetworkError, type RequestError } from '../errors.ts';
import type { Settings } from '../options.ts';
import { LIBRARY, refused, type SignedUrl, signedUrl } from './request.ts';
import { parseRetryAfter } from './retry.ts';

/** Characters of the answer to a refused connection that are read. */
const MAX_REFUSAL = 10_000;

/** What happens to a connection. */
export interface LinkEvents {
  opened(): void;
  received(text: string): void;
  /** It is over, or was never open. */
  ended(error: RequestError): void;
}

/** One WebSocket to the broker's publish socket, from the attempt to connect to its end. */
export class PublishLink {
  readonly #settings: Settings;
  readonly #events: LinkEvents;
  readonly #target: SignedUrl;
  #webSocket: WebSocket | undefined;
  #socket: Socket | undefined;
  /** Runs while something is expected of the broker. */
  #watch: NodeJS.Timeout | undefined;
  #isEnded = false;

  constructor(settings: Settings, events: LinkEvents) {
    this.#settings = settings;
    this.#events = events;
    this.#target = signedUrl(settings, { method: 'GET', path: '/publish' });
    this.expect(true);
    this.#open().catch((error: unknown) => this.#end(this.#broken('could not be opened', error)));
  }

  get isOpen(): boolean {
    return this.#webSocket?.readyState === 1;
  }

  /** Without the signature. */
  get url(): string {
    return this.#target.url;
  }

  get what(): string {
    return this.#target.what;
  }

  send(text: string): void {
    this.#webSocket?.send(text);
    this.expect(true);
  }

  /** Whether the broker has something to answer. Only then the connection keeps the process, and must show a sign of life. */
  expect(isExpecting: boolean): void {
    if (this.#isEnded) return;
    if (!isExpecting) {
      clearTimeout(this.#watch);
      this.#watch = undefined;
      this.#socket?.unref();
    } else if (!this.#watch) {
      // Half of the time, so that the rest is left for another connection.
      this.#watch = setTimeout(() => this.abort('was silent for too long'), this.#settings.timeout / 2);
      this.#socket?.ref();
    }
  }

  /** Ends the connection, which is of no use. */
  abort(why: string): void {
    this.#end(this.#broken(why));
  }

  /** Ends the connection, of which nothing is expected. */
  close(): void {
    this.#isEnded = true;
    clearTimeout(this.#watch);
    this.#socket?.ref();
    this.#webSocket?.close(1000);
  }

  async #open(): Promise<void> {
    // Loaded only by those who use it.
    const { WebSocket } = await import('ws');
    if (this.#isEnded) return;
    const { url, signature } = this.#target;
    const webSocket = new WebSocket(url.replace(/^http/, 'ws') + signature, {
      headers: LIBRARY,
      perMessageDeflate: false,
    });
    this.#webSocket = webSocket;
    let cause: unknown;
    webSocket.on('upgrade', ({ socket }) => {
      this.#socket = socket;
    });
    webSocket.on('open', () => this.#events.opened());
    webSocket.on('message', (data) => {
      if (this.#isEnded) return;
      this.#watch?.refresh();
      this.#events.received(String(data));
    });
    webSocket.on('unexpected-response', (_, response) => this.#refused(response));
    webSocket.on('error', (error) => {
      cause = error;
    });
    webSocket.on('close', (code, reason) => {
      const why = code === 1006 ? 'broke' : `was closed with ${code} ${String(reason)}`;
      this.#end(this.#broken(cause && !this.#socket ? 'could not be opened' : why, cause));
    });
  }

  /** The broker, or a proxy, answered over HTTP. */
  #refused(response: IncomingMessage): void {
    const { statusCode: status = 0, headers } = response;
    let body = '';
    const end = () => {
      const retryAfter = parseRetryAfter(headers['retry-after'] ?? null, Date.now());
      this.#end(refused(this.#settings, this.what, { url: this.url, status, body }, retryAfter));
    };
    response.setEncoding('utf8');
    response.on('data', (part: string) => {
      body += part;
      if (body.length > MAX_REFUSAL) end();
    });
    response.on('end', end);
    response.on('error', end);
  }

  #broken(why: string, cause?: unknown): NetworkError {
    const hint = cause === undefined ? '' : failureText(this.#settings.origin, cause);
    return new NetworkError(`The WebSocket of ${this.what} ${why}${hint}`, { url: this.url }, { cause });
  }

  #end(error: RequestError): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    clearTimeout(this.#watch);
    this.#webSocket?.terminate();
    this.#events.ended(error);
  }
}
