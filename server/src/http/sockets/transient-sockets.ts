import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { type Metrics, reached } from '../../metrics.ts';
import type { SocketBounds } from './socket-bounds.ts';

/** Requests of one socket that may wait for the responses to earlier ones. */
const MAX_PIPELINED = 50;
/** Sockets that are checked to find one that can be closed to make room. */
const MAX_LOOKS = 1000;
/** Milliseconds between two checks for responses that clients do not read. */
const SWEEP_MS = 1000;

const VISIT = Symbol('visit');
type VisitedSocket = Socket & { [VISIT]?: Visit | undefined };

/** One socket. */
interface Visit {
  /** The TCP socket; with TLS the one below the TLS socket. */
  readonly socket: Socket;
  /** The address that it counts for; `undefined`: none. */
  readonly owner: string | undefined;
  /** The response that is being made or read. */
  answer: ServerResponse | undefined;
  /** Pipelined requests, which wait for that response. */
  waiting: (readonly [IncomingMessage, ServerResponse])[] | undefined;
  /** Monotonic time since which there has always been a response to make or read. */
  busySince: number;
  /** It has asked for a WebSocket, and the broker has not decided yet. */
  isAdmitted: boolean;
}

export interface TransientSocketsParts {
  readonly bounds: SocketBounds;
  /** Milliseconds that a client has to read its responses. */
  readonly answerTimeoutMs: number;
  /** The address that a TCP socket counts for; `undefined` if the bound per address does not apply. */
  readonly ownerOf: (address: string) => string | undefined;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Monotonic milliseconds. */
  readonly monotonic: () => number;
}

/**
 * The sockets of this process that are not WebSockets: not yet, or not any more. When there are too many, the one that
 * has been idle for longest is closed, so that neither one address nor many idle clients can block requests and health
 * checks.
 */
export class TransientSockets {
  readonly #parts: TransientSocketsParts;
  /** The ones that have been idle for longest first. */
  readonly #visits = new Set<Visit>();
  readonly #byOwner = new Map<string, Set<Visit>>();
  /** With TLS: the sockets with a handshake in progress, by the address and port of the client. */
  readonly #securing = new Map<string, Visit>();
  readonly #sweep: NodeJS.Timeout;
  #webSockets = 0;

  constructor(parts: TransientSocketsParts) {
    this.#parts = parts;
    this.#sweep = setInterval(() => this.#endUnread(), SWEEP_MS).unref();
  }

  /** Open sockets, including WebSockets. */
  get open(): number {
    return this.#visits.size + this.#webSockets;
  }

  /** A TCP connection was accepted. */
  accept(socket: VisitedSocket, isSecured: boolean): void {
    // A socket whose upgrade was declined arrives here again, because Node is given it as a new one.
    if (socket[VISIT]) return;
    const visit = this.#add(socket, this.#parts.ownerOf(socket.remoteAddress ?? ''));
    if (isSecured) this.#securing.set(peerOf(socket), visit);
    const { bounds } = this.#parts;
    const own = visit.owner === undefined ? undefined : this.#byOwner.get(visit.owner);
    if (own && own.size > bounds.perAddress) this.#makeRoom(own, visit, 'sockets_per_address');
    else if (this.open > bounds.sockets) this.#makeRoom(this.#visits, visit, 'sockets');
  }

  /** The TLS handshake of an accepted connection is complete. */
  secured(secure: VisitedSocket): void {
    const peer = peerOf(secure);
    secure[VISIT] = this.#securing.get(peer);
    this.#securing.delete(peer);
  }

  /** Serves the requests of a socket one after the other, as fast as the client reads the responses. */
  serve(request: IncomingMessage, response: ServerResponse, handle: RequestListener): void {
    const socket: VisitedSocket = request.socket;
    const visit = socket[VISIT];
    if (!visit) return handle(request, response);
    // Further requests of the packet whose requests were too many.
    if (visit.socket.destroyed) return;
    response.on('close', () => this.#answered(visit, response, handle));
    if (!visit.answer) {
      visit.answer = response;
      visit.busySince = this.#parts.monotonic();
      return handle(request, response);
    }
    visit.waiting ??= [];
    if (visit.waiting.length < MAX_PIPELINED) visit.waiting.push([request, response]);
    else this.#end(visit, 'pipelined_requests');
  }

  /** Counts and logs a request that exceeds a bound. */
  refused(socket: VisitedSocket, bound: 'header_bytes' | 'request_timeout'): void {
    const { metrics, log } = this.#parts;
    reached(metrics, log, bound, { address: socket.remoteAddress });
  }

  /** Whether a part of a response has been written. */
  isAnswering(socket: VisitedSocket): boolean {
    return socket[VISIT]?.answer?.headersSent ?? false;
  }

  /** The last response that a socket waits for. */
  lastAnswer(socket: VisitedSocket): ServerResponse | undefined {
    const visit = socket[VISIT];
    return visit?.waiting?.at(-1)?.[1] ?? visit?.answer;
  }

  /** The socket asks for a WebSocket; the gateway decides. */
  admit(socket: VisitedSocket): void {
    const visit = socket[VISIT];
    if (visit) visit.isAdmitted = true;
  }

  /** The socket has become a WebSocket. */
  established(socket: VisitedSocket): void {
    const visit = socket[VISIT];
    this.#webSockets += 1;
    if (!visit) return;
    socket[VISIT] = undefined;
    visit.socket.off('close', this.#closed);
    this.#remove(visit);
  }

  /** The socket is no longer a WebSocket, or was refused: it only has to close. */
  dismissed(socket: VisitedSocket, wasEstablished: boolean): void {
    if (wasEstablished) this.#webSockets -= 1;
    const visit = socket[VISIT];
    if (visit) visit.isAdmitted = false;
    else if (!socket.destroyed) this.#add(socket, undefined);
  }

  /** Ends the timer. */
  close(): void {
    clearInterval(this.#sweep);
  }

  #add(socket: VisitedSocket, owner: string | undefined): Visit {
    const visit: Visit = {
      socket,
      owner,
      answer: undefined,
      waiting: undefined,
      busySince: 0,
      isAdmitted: false,
    };
    socket[VISIT] = visit;
    socket.on('close', this.#closed);
    this.#enter(visit);
    return visit;
  }

  #enter(visit: Visit): void {
    this.#visits.add(visit);
    if (visit.owner === undefined) return;
    const own = this.#byOwner.get(visit.owner);
    if (own) own.add(visit);
    else this.#byOwner.set(visit.owner, new Set([visit]));
  }

  #remove(visit: Visit): void {
    this.#visits.delete(visit);
    if (visit.owner === undefined) return;
    const own = this.#byOwner.get(visit.owner);
    own?.delete(visit);
    if (own?.size === 0) this.#byOwner.delete(visit.owner);
  }

  #answered(visit: Visit, response: ServerResponse, handle: RequestListener): void {
    if (visit.answer !== response) return;
    visit.answer = undefined;
    if (visit.socket.destroyed) return;
    const next = visit.waiting?.shift();
    if (next) {
      visit.answer = next[1];
      return handle(...next);
    }
    // The sockets that were answered last are closed last.
    this.#remove(visit);
    this.#enter(visit);
  }

  /** Closes the one of these sockets that has been idle for longest; if all are busy, the new one. */
  #makeRoom(among: ReadonlySet<Visit>, newcomer: Visit, bound: string): void {
    let looks = 0;
    for (const visit of among) {
      if (isQuiet(visit)) return this.#end(visit, bound);
      looks += 1;
      if (looks === MAX_LOOKS) break;
    }
    this.#end(newcomer, bound);
  }

  #endUnread(): void {
    const { answerTimeoutMs, monotonic } = this.#parts;
    const before = monotonic() - answerTimeoutMs;
    for (const visit of this.#visits) {
      if (visit.answer?.headersSent && visit.busySince < before) this.#end(visit, 'answer_timeout');
    }
  }

  #end(visit: Visit, bound: string): void {
    const { metrics, log } = this.#parts;
    const { socket } = visit;
    reached(metrics, log, bound, { address: socket.remoteAddress });
    this.#remove(visit);
    // A reset frees the system's buffers of what the client does not read; only a TCP socket can be reset.
    if (socket.remoteAddress === undefined) socket.destroy();
    else socket.resetAndDestroy();
  }

  readonly #closed = ((transients: TransientSockets) =>
    function (this: VisitedSocket): void {
      const visit = this[VISIT];
      if (!visit) return;
      transients.#remove(visit);
      transients.#securing.delete(peerOf(this));
    })(this);
}

/** Whether the broker waits for the client: for the rest of a request, the next one, or the end. */
function isQuiet({ answer, isAdmitted }: Visit): boolean {
  if (isAdmitted) return false;
  return !answer || answer.headersSent || !answer.req.complete;
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
