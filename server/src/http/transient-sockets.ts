import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { type Metrics, reached } from '../metrics.ts';
import type { SocketBounds } from './socket-bounds.ts';

/** Requests of one socket that may wait for the answers to those before them. */
const MAX_PIPELINED = 50;
/** Sockets looked at for one that may be closed to make room. */
const MAX_LOOKS = 1000;
/** Milliseconds between two looks for answers that nobody reads. */
const SWEEP_MS = 1000;

const VISIT = Symbol('visit');
type VisitedSocket = Socket & { [VISIT]?: Visit | undefined };

/** What is known of one socket. */
interface Visit {
  /** The TCP socket; with TLS it is the one below. */
  readonly socket: Socket;
  /** Whose places it takes; `undefined`: nobody's. */
  readonly owner: string | undefined;
  /** The answer that is being made or read. */
  answer: ServerResponse | undefined;
  /** Pipelined requests, which wait for that. */
  waiting: (readonly [IncomingMessage, ServerResponse])[] | undefined;
  /** Since when there always was an answer to be made or read, by the monotonic clock. */
  busySince: number;
  /** It asked for a WebSocket, and the broker has not decided yet. */
  isAdmitted: boolean;
}

export interface TransientSocketsParts {
  readonly bounds: SocketBounds;
  /** Milliseconds that a socket has to take its answers. */
  readonly answerTimeoutMs: number;
  /** Whose places a TCP socket takes; `undefined` where the bound for one address does not hold. */
  readonly ownerOf: (address: string) => string | undefined;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Milliseconds, by a clock that nobody sets. */
  readonly monotonic: () => number;
}

/**
 * The sockets of this process that are no WebSocket, not yet or not any more. Where there are too many, the one that
 * has been quiet for longest makes room, so that neither one address nor many clients that ask for nothing keep
 * requests and health checks out.
 */
export class TransientSockets {
  readonly #parts: TransientSocketsParts;
  /** The quiet ones first. */
  readonly #visits = new Set<Visit>();
  readonly #byOwner = new Map<string, Set<Visit>>();
  /** With TLS: those whose handshake is under way, by the address and port of the client. */
  readonly #securing = new Map<string, Visit>();
  readonly #sweep: NodeJS.Timeout;
  #webSockets = 0;

  constructor(parts: TransientSocketsParts) {
    this.#parts = parts;
    this.#sweep = setInterval(() => this.#endUnread(), SWEEP_MS).unref();
  }

  /** Sockets that are open, WebSockets included. */
  get open(): number {
    return this.#visits.size + this.#webSockets;
  }

  /** A TCP connection was accepted. */
  accept(socket: VisitedSocket, isSecured: boolean): void {
    // One whose upgrade was declined is handed to node as a new one.
    if (socket[VISIT]) return;
    const visit = this.#add(socket, this.#parts.ownerOf(socket.remoteAddress ?? ''));
    if (isSecured) this.#securing.set(peerOf(socket), visit);
    const { bounds } = this.#parts;
    const own = visit.owner === undefined ? undefined : this.#byOwner.get(visit.owner);
    if (own && own.size > bounds.perAddress) this.#makeRoom(own, visit, 'sockets_per_address');
    else if (this.open > bounds.sockets) this.#makeRoom(this.#visits, visit, 'sockets');
  }

  /** The TLS handshake of an accepted connection is done. */
  secured(secure: VisitedSocket): void {
    const peer = peerOf(secure);
    secure[VISIT] = this.#securing.get(peer);
    this.#securing.delete(peer);
  }

  /** Has requests answered one after the other, as their answers are read. */
  serve(request: IncomingMessage, response: ServerResponse, handle: RequestListener): void {
    const socket: VisitedSocket = request.socket;
    const visit = socket[VISIT];
    if (!visit) return handle(request, response);
    // More requests of the same packet, after those that were too many.
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

  /** A request cannot be answered because of a bound: counts and logs it. */
  refused(socket: VisitedSocket, bound: 'header_bytes' | 'request_timeout'): void {
    const { metrics, log } = this.#parts;
    reached(metrics, log, bound, { address: socket.remoteAddress });
  }

  /** Whether a part of an answer has been written. */
  isAnswering(socket: VisitedSocket): boolean {
    return socket[VISIT]?.answer?.headersSent ?? false;
  }

  /** The last answer that a socket waits for. */
  lastAnswer(socket: VisitedSocket): ServerResponse | undefined {
    const visit = socket[VISIT];
    return visit?.waiting?.at(-1)?.[1] ?? visit?.answer;
  }

  /** It asks for a WebSocket; from now on it is for the gateway to decide. */
  admit(socket: VisitedSocket): void {
    const visit = socket[VISIT];
    if (visit) visit.isAdmitted = true;
  }

  /** It is a WebSocket from now on. */
  established(socket: VisitedSocket): void {
    const visit = socket[VISIT];
    this.#webSockets += 1;
    if (!visit) return;
    socket[VISIT] = undefined;
    visit.socket.off('close', this.#closed);
    this.#remove(visit);
  }

  /** It is a WebSocket no more, or was refused: it has only to close. */
  dismissed(socket: VisitedSocket, wasEstablished: boolean): void {
    if (wasEstablished) this.#webSockets -= 1;
    const visit = socket[VISIT];
    if (visit) visit.isAdmitted = false;
    else if (!socket.destroyed) this.#add(socket, undefined);
  }

  /** Ends the looks at who reads. */
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
    // Those that were answered last are the last to make room.
    this.#remove(visit);
    this.#enter(visit);
  }

  /** Closes the socket among these that has been quiet for longest; if all are busy, the newcomer. */
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
    // What the client does not read must not stay in the system's buffers. Only TCP can be reset.
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

/** Whether it owes us something rather than we an answer: the rest of a request, a next one, or its end. */
function isQuiet({ answer, isAdmitted }: Visit): boolean {
  if (isAdmitted) return false;
  return !answer || answer.headersSent || !answer.req.complete;
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
