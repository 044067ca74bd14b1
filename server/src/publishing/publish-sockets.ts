import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Answers } from '../api/answers.ts';
import { PUBLISH_SOCKET } from '../api/api.ts';
import { type Authenticated, checkBody } from '../api/requests/authenticate.ts';
import { ApiError } from '../errors.ts';
import { MAX_BODY_BYTES } from '../http/body.ts';
import { readPublishPath, splitTarget } from '../http/target.ts';
import { reached } from '../metrics.ts';
import type { Sockets } from '../socket/handshakes/gateway.ts';
import { createUpgrader, type Upgrader } from '../socket/handshakes/upgrader.ts';
import { PublishSocket, type PublishSocketParts } from './publish-socket.ts';

/** Milliseconds between two searches for sockets whose peer is silent. */
const SWEEP_MS = 1000;
const NO_BODY = Buffer.alloc(0);

/** Admits callers that publish over a WebSocket, and holds their sockets (docs/publish-socket.md). */
export class PublishSockets {
  readonly #parts: PublishSocketsParts;
  readonly #socketParts: PublishSocketParts;
  readonly #upgrader: Upgrader;
  readonly #sockets = new Set<PublishSocket>();
  readonly #sweep: NodeJS.Timeout;
  /** The path in front of the app id. */
  readonly #base: string;
  #isDraining = false;

  constructor(parts: PublishSocketsParts) {
    this.#parts = parts;
    this.#socketParts = { ...parts, onEnd: (publishSocket, socket) => this.#forget(publishSocket, socket) };
    this.#upgrader = createUpgrader(MAX_BODY_BYTES);
    this.#base = `${parts.config.pathPrefix}/apps/`;
    this.#sweep = setInterval(() => this.#checkActivity(), SWEEP_MS).unref();
  }

  /** The id of the app that a request for a WebSocket wants to publish for; `undefined`: it wants something else. */
  appIdOf({ url = '' }: IncomingMessage): string | undefined {
    const named = readPublishPath(splitTarget(url).path, this.#base);
    return named?.name === PUBLISH_SOCKET ? named.appId : undefined;
  }

  /**
   * Handles a request for a WebSocket that publishes. A refusal is an answer over HTTP: such callers can read it.
   *
   * @param refusal why the caller is refused, if that is decided already
   */
  upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    appId: string,
    refusal: ApiError | undefined,
  ): void {
    socket.on('error', destroySocket);
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    const admitted = refusal ? Promise.reject(refusal) : this.#check(request, response, appId);
    admitted
      .then((caller) => this.#open(request, socket, head, caller))
      .catch((error: unknown) => this.#refuse(request, response, socket, error));
  }

  /** Closes the sockets whose key was removed, was revoked or has expired, or whose app is gone. */
  closeInvalid(): void {
    for (const socket of [...this.#sockets]) socket.closeIfInvalid();
  }

  /** Closes all sockets with 4200, each once all that was read from it is answered. Refuses new ones. */
  drain(): void {
    this.#isDraining = true;
    for (const socket of [...this.#sockets]) socket.drain();
  }

  /** Ends all sockets at once. */
  close(): void {
    this.#isDraining = true;
    clearInterval(this.#sweep);
    for (const socket of [...this.#sockets]) socket.terminate();
  }

  /** @throws ApiError if the caller may not publish */
  async #check(request: IncomingMessage, response: ServerResponse, appId: string): Promise<Authenticated> {
    const { callers } = this.#parts;
    await callers.caughtUp(appId);
    const authenticated = callers.authenticate(request, appId);
    const caller = authenticated instanceof ApiError ? authenticated : checkBody(authenticated, NO_BODY);
    if (caller instanceof ApiError) throw await callers.countRefusal(caller, request, response);
    callers.checkRight(caller, 'publish');
    if (caller.nonce !== undefined) {
      await callers.spendNonce(caller, request, response);
      callers.checkRight(caller, 'publish');
    }
    return caller;
  }

  /** @throws ApiError if there is no room */
  #open(request: IncomingMessage, socket: Duplex, head: Buffer, caller: Authenticated): void {
    const { app } = caller;
    if (this.#isDraining) {
      throw new ApiError(503, 'draining', 'The node is shutting down: try again', { 'Retry-After': '1' });
    }
    const { publishSockets } = this.#parts.metrics.app(app.id);
    if (publishSockets.open >= app.limits.publishConnections) {
      reached(this.#parts.metrics, this.#parts.log, 'publish_connections', { appId: app.id });
      throw new ApiError(
        429,
        'too_many_connections',
        `The app has ${publishSockets.open} sockets that publish here: the allowed maximum is ${app.limits.publishConnections}`,
        { 'Retry-After': '1' },
      );
    }
    let isOpen = false;
    this.#upgrader.handleUpgrade(request, socket, head, (webSocket) => {
      isOpen = true;
      socket.off('error', destroySocket);
      publishSockets.open += 1;
      this.#parts.sockets.established(socket);
      this.#sockets.add(new PublishSocket(this.#socketParts, webSocket, socket, caller));
    });
    if (!isOpen) this.#parts.sockets.dismissed(socket, false);
  }

  #refuse(request: IncomingMessage, response: ServerResponse, socket: Duplex, error: unknown): void {
    this.#parts.sockets.dismissed(socket, false);
    socket.once('finish', destroySocket);
    response.assignSocket(socket as Socket);
    response.once('finish', () => socket.end());
    this.#parts.answers.refuse(request, response, error);
  }

  #forget(publishSocket: PublishSocket, socket: Duplex): void {
    if (!this.#sockets.delete(publishSocket)) return;
    this.#parts.metrics.app(publishSocket.appId).publishSockets.open -= 1;
    this.#parts.sockets.dismissed(socket, true);
  }

  #checkActivity(): void {
    const now = this.#parts.monotonic();
    for (const socket of [...this.#sockets]) socket.checkActivity(now);
  }
}

/** What the sockets of a broker need. */
export interface PublishSocketsParts extends Omit<PublishSocketParts, 'onEnd'> {
  readonly answers: Answers;
  /** Counts the sockets of the process. */
  readonly sockets: Sockets;
}

function destroySocket(this: Duplex): void {
  this.destroy();
}
