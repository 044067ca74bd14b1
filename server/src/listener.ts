import { readFile } from 'node:fs/promises';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Config } from './config.ts';
import { asksForWebSocket, DeclinedUpgrades } from './declined-upgrade.ts';
import { inOriginForm, toOriginForm } from './request-target.ts';
import type { TransientSockets } from './transient-sockets.ts';

/** Takes over the connection of a request for a WebSocket. */
export type Upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** Milliseconds that a client has for the handshake of TLS; a broker that stops waits for it. */
const TLS_HANDSHAKE_MS = 5000;
/** Bytes of the headers of a request, cookies included, that other apps of the same domain set. */
const MAX_HEADER_BYTES = 32_768;
/** Milliseconds that the headers of a request may take. */
const HEADER_TIMEOUT_MS = 10_000;
/** Milliseconds between two looks for requests that take too long. */
const REQUEST_CHECK_MS = 1000;
/** Connections that may wait to be accepted: many clients come back at once. */
const BACKLOG = 4096;
/** Milliseconds between two looks for connections whose request has been answered. */
const CLOSE_STEP_MS = 50;
/** Milliseconds that the requests in progress have at a drain, more than Redis has for an answer. */
const REQUEST_GRACE_MS = 3000;

/** The HTTP or HTTPS server, and how it begins and ends. */
export class Listener {
  readonly server: Server;
  readonly #config: Config;
  /** Connections that have not asked for anything yet; node counts them among those with a request in progress. */
  readonly #silent = new Set<Socket>();

  #upgrade: Upgrade | undefined;

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

  /**
   * Makes a server that does not listen yet.
   *
   * @throws Error if the certificate cannot be read
   */
  static async create(config: Config, handle: RequestListener, sockets: TransientSockets): Promise<Listener> {
    const options = optionsOf(config);
    const serve = inOriginForm(handle);
    if (!config.tls) return new Listener(config, createHttpServer(options), serve, sockets);
    const [cert, key] = await Promise.all([readFile(config.tls.cert), readFile(config.tls.key)]);
    const secure = { ...options, cert, key, handshakeTimeout: TLS_HANDSHAKE_MS };
    return new Listener(config, createHttpsServer(secure), serve, sockets);
  }

  /** Hands over who asks for a WebSocket; without it they are answered as everybody is. */
  onUpgrade(upgrade: Upgrade): void {
    this.#upgrade = upgrade;
  }

  /** @throws Error if it cannot listen there */
  listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen({ host: this.#config.host, port, backlog: BACKLOG }, () => {
        this.server.off('error', reject);
        resolve();
      });
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

  /**
   * Accepts nobody more, and waits for the requests in progress and for the end of all WebSockets. A request whose
   * body or answer makes no end is cut after a while, for it would keep the broker from ever ending.
   */
  async drain(): Promise<void> {
    const idle = setInterval(() => this.server.closeIdleConnections(), CLOSE_STEP_MS);
    const cut = setTimeout(() => this.server.closeAllConnections(), this.#requestGraceMs);
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.#silent) socket.destroy();
    await closed;
    clearInterval(idle);
    clearTimeout(cut);
  }

  /** Ends at once, except for WebSockets, whose end it waits for. */
  close(): Promise<void> {
    this.server.closeAllConnections();
    return this.drain();
  }

  /** At most half of what is left to the whole process, which has more to end than its requests. */
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
