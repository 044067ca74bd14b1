import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  STATUS_CODES,
} from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Config } from '../../config/config.ts';
import type { Pem } from '../../tls/pem-files.ts';
import { inOriginForm, toOriginForm } from '../request-target.ts';
import { asksForWebSocket, DeclinedUpgrades } from './declined-upgrades.ts';
import { ListenError } from './listen-error.ts';
import type { TransientSockets } from './transient-sockets.ts';

/** Takes over the connection of a request for a WebSocket. */
export type Upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** Milliseconds for a TLS handshake; a stopping broker waits for it. */
const TLS_HANDSHAKE_MS = 5000;
/** Bytes of the headers of a request. They include the cookies that other applications of the same domain set. */
const MAX_HEADER_BYTES = 32_768;
/** Milliseconds for the headers of a request. */
const HEADER_TIMEOUT_MS = 10_000;
/** Milliseconds between two checks for requests that take too long. */
const REQUEST_CHECK_MS = 1000;
/** Connections that may wait to be accepted: many clients come back at once. */
const BACKLOG = 4096;
/** Milliseconds between two checks for connections whose request has been answered. */
const CLOSE_STEP_MS = 50;
/** Milliseconds that a drain leaves for the requests in progress; longer than a call of Redis may take. */
const REQUEST_GRACE_MS = 3000;

/** The status of a request that cannot be read, and the bound that it exceeded, by the code of the error. */
const CLIENT_ERRORS: ReadonlyMap<
  string | undefined,
  readonly [status: number, bound?: 'header_bytes' | 'request_timeout']
> = new Map([
  ['HPE_HEADER_OVERFLOW', [431, 'header_bytes']],
  ['ERR_HTTP_REQUEST_TIMEOUT', [408, 'request_timeout']],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', [413]],
] as const);

/** The HTTP or HTTPS server, from its start to its end. */
export class Listener {
  readonly server: Server;
  readonly #config: Config;
  /** Connections without a request so far; Node counts them as connections with a request in progress. */
  readonly #silent = new Set<Socket>();

  #upgrade: Upgrade | undefined;
  /** Resolves when it accepts no more connections and all have ended. */
  #closed: Promise<void> | undefined;

  private constructor(config: Config, server: Server, handle: RequestListener, sockets: TransientSockets) {
    this.#config = config;
    this.server = server;
    const silent = this.#silent;
    const forget = function (this: Socket): void {
      silent.delete(this);
    };
    const connected = config.tls ? 'secureConnection' : 'connection';
    const declined = new DeclinedUpgrades(server, connected);
    server.on('connection', (socket: Socket) => sockets.accept(socket, config.tls !== undefined));
    if (config.tls) server.on('secureConnection', (socket: Socket) => sockets.secured(socket));
    server.on('request', (request, response) => sockets.serve(request, response, handle));
    server.on(connected, (socket: Socket) => {
      silent.add(socket);
      socket.once('close', forget);
    });
    server.on('request', ({ socket }) => silent.delete(socket));
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
      const [status, bound] = CLIENT_ERRORS.get(error.code) ?? [400];
      const client = socket as Socket;
      // Browsers open sockets in advance, and send nothing on them.
      if (bound && client.bytesRead > 0) sockets.refused(client, bound);
      if (socket.writable && !sockets.isAnswering(client)) {
        socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n\r\n`);
      }
      socket.destroy(error);
    });
    server.on('upgrade', (request, socket, head) => {
      silent.delete(request.socket);
      socket.off('close', forget);
      toOriginForm(request);
      if (this.#upgrade && asksForWebSocket(request)) {
        sockets.admit(request.socket);
        this.#upgrade(request, socket, head);
      } else declined.serve(request, head, sockets.lastAnswer(request.socket));
    });
  }

  /** Creates a server that does not listen yet, with TLS if there is a certificate. */
  static create(
    config: Config,
    handle: RequestListener,
    sockets: TransientSockets,
    pem: Pem | undefined,
  ): Listener {
    const options = optionsOf(config);
    const serve = inOriginForm(handle);
    if (!pem) return new Listener(config, createHttpServer(options), serve, sockets);
    const { cert, key } = pem;
    const secure = { ...options, cert, key, handshakeTimeout: TLS_HANDSHAKE_MS };
    return new Listener(config, createHttpsServer(secure), serve, sockets);
  }

  /** Uses this certificate for new connections. */
  use({ cert, key }: Pem): void {
    if ('setSecureContext' in this.server) (this.server as HttpsServer).setSecureContext({ cert, key });
  }

  /** Passes on requests for a WebSocket; without it they are answered like all others. */
  onUpgrade(upgrade: Upgrade): void {
    this.#upgrade = upgrade;
  }

  /**
   * @param setting the setting that names the port
   * @param fd the descriptor of a socket that listens already, instead of the port
   * @throws ListenError if it cannot listen there
   */
  listen(port: number, setting: 'port' | 'metrics.port', fd?: number): Promise<void> {
    const { host } = this.#config;
    return new Promise((resolve, reject) => {
      const refuse = (error: Error) => reject(new ListenError(setting, host, port, error));
      this.server.once('error', refuse);
      this.server.listen(
        fd === undefined ? { host, port, backlog: BACKLOG } : { fd, backlog: BACKLOG },
        () => {
          this.server.off('error', refuse);
          resolve();
        },
      );
    });
  }

  get listening(): boolean {
    return this.server.listening;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    const { host, tls } = this.#config;
    return `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${this.port}`;
  }

  /** Accepts no more connections. Open ones stay, also those that wait for their next request. */
  leave(): void {
    // The method of Node's HTTP server would close idle connections, for which a request may be on its way.
    this.#closed ??= new Promise((resolve) => NetServer.prototype.close.call(this.server, () => resolve()));
  }

  /**
   * Accepts no more connections, and waits for the requests in progress and for the end of all WebSockets. A request
   * whose body or answer does not end is cut off after a while, because the broker would never end.
   *
   * @param idle `keep`: idle connections stay open for their next request, for as long as requests have
   */
  async drain(idle: 'close' | 'keep' = 'close'): Promise<void> {
    const sweep =
      idle === 'keep' ? undefined : setInterval(() => this.server.closeIdleConnections(), CLOSE_STEP_MS);
    const cut = setTimeout(() => this.server.closeAllConnections(), this.#requestGraceMs);
    this.leave();
    if (idle === 'close') {
      this.server.closeIdleConnections();
      for (const socket of this.#silent) socket.destroy();
    }
    await this.#closed;
    // Only this ends the timer by which Node's HTTP server checks its connections.
    this.server.close();
    clearInterval(sweep);
    clearTimeout(cut);
  }

  /** Ends at once, but waits for the end of WebSockets. */
  close(): Promise<void> {
    this.server.closeAllConnections();
    return this.drain();
  }

  /** At most half of the time that the process has left, because it has more to end than its requests. */
  get #requestGraceMs(): number {
    const { drainTimeoutSeconds, drainWindowSeconds } = this.#config;
    return Math.min(REQUEST_GRACE_MS, (drainTimeoutSeconds - drainWindowSeconds) * 500);
  }
}

function optionsOf({ requestTimeoutSeconds, keepAliveSeconds }: Config): ServerOptions {
  return {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: Math.min(HEADER_TIMEOUT_MS, requestTimeoutSeconds * 1000),
    requestTimeout: requestTimeoutSeconds * 1000,
    keepAliveTimeout: keepAliveSeconds * 1000,
    connectionsCheckingInterval: REQUEST_CHECK_MS,
  };
}
