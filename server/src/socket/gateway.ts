import type { IncomingMessage } from 'node:http';
import { totalmem } from 'node:os';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { type ServerOptions, WebSocketServer } from 'ws';
import type { Adapter } from '../adapter/adapter.ts';
import type { App, AppStore } from '../apps/app.ts';
import type { Config } from '../config/config.ts';
import { codes, Disconnect, severityOf } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import { increment, type Metrics, reached } from '../metrics.ts';
import { AdmissionQueue } from './admission-queue.ts';
import { ClientSocket } from './client-socket.ts';
import { Connection, type ConnectionParts } from './connection.ts';
import { ConnectionPlaces, NoPlace, type PlacesBounds } from './connection-places.ts';
import { type Handshake, readHandshake } from './handshake.ts';
import { OutboundBuffers } from './outbound-buffers.ts';
import { RefusedHandshakes } from './refused-handshakes.ts';
import type { WriteQueue } from './write-queue.ts';

export interface GatewayParts {
  readonly config: Config;
  readonly apps: AppStore;
  readonly adapter: Adapter;
  readonly hub: Hub;
  readonly outbox: WriteQueue;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds, by a clock that nobody sets: for all that is waited for or limited. */
  readonly monotonic: () => number;
  /** Names a new connection. */
  readonly newSocketId: () => string;
  /** The client's address, behind proxies that are trusted. */
  readonly addressOf: (request: IncomingMessage) => string;
  /** Whose places a client of this address takes; `undefined` where the bound for one address does not hold. */
  readonly ownerOf: (address: string) => string | undefined;
  readonly bounds: PlacesBounds;
  /** Whoever counts the sockets of the process. */
  readonly sockets: Sockets;
  /** Whether the client uses TLS, also towards a proxy that is trusted. */
  readonly isSecure: (request: IncomingMessage) => boolean;
}

/** What is told of each socket that comes to the gateway. */
export interface Sockets {
  established(socket: Duplex): void;
  dismissed(socket: Duplex, wasEstablished: boolean): void;
}

/** Milliseconds between two looks at who has been silent. */
const SWEEP_MS = 1000;
/** Milliseconds that a client has to answer a close frame. */
const CLOSE_TIMEOUT_MS = 5000;
/** Milliseconds between two slices of a drain. */
const DRAIN_STEP_MS = 100;
/** Milliseconds that a refused client may be held: long when too many come, short when the node goes away. */
const HOLD_OVERLOADED_MS = 10_000;
const HOLD_DRAINING_MS = 2000;
const RECONNECT = new Disconnect(codes.reconnect, 'The server restarts: please reconnect');

/** Lets clients in: checks what they ask for, upgrades, and keeps those that are connected. */
export class Gateway {
  /** In the order in which they came. */
  readonly #connections = new Set<Connection>();
  readonly #parts: GatewayParts;
  readonly #connectionParts: ConnectionParts;
  readonly #webSockets: InstanceType<typeof WebSocketServer<typeof ClientSocket>>;
  readonly #buffers: OutboundBuffers;
  readonly #queue = new AdmissionQueue();
  readonly #places: ConnectionPlaces;
  readonly #refused = new RefusedHandshakes();
  readonly #sweep: NodeJS.Timeout;
  #draining: 'stopping' | 'replaced' | undefined;

  constructor(parts: GatewayParts) {
    this.#parts = parts;
    this.#buffers = new OutboundBuffers(
      parts.config.maxBufferedTotalBytes ?? Math.floor(memoryBytes() / 8),
      () => this.#relieve(),
    );
    this.#connectionParts = {
      ...parts,
      buffers: this.#buffers,
      onEnd: (connection, socket) => this.#forget(connection, socket),
    };
    this.#places = new ConnectionPlaces(parts.bounds);
    const options: ServerOptions<typeof ClientSocket> & ReceiverBounds & { readonly closeTimeout: number } = {
      noServer: true,
      WebSocket: ClientSocket,
      clientTracking: false,
      // Frames are shared by all subscribers, so they cannot be compressed for each.
      perMessageDeflate: false,
      ...receiverBounds(parts.config.maxMessageBytes),
      closeTimeout: CLOSE_TIMEOUT_MS,
    };
    this.#webSockets = new WebSocketServer<typeof ClientSocket>(options);
    this.#sweep = setInterval(() => this.#checkActivity(), SWEEP_MS).unref();
  }

  /**
   * Takes over a request for a WebSocket.
   *
   * @param refusal why it is not let in, if that is known already
   */
  readonly upgrade = (
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    refusal?: Disconnect | undefined,
  ): void => {
    socket.on('error', destroySocket);
    const admit = (refused = refusal): void => {
      this.#admit(request, socket, head, refused).catch((error: unknown) => {
        this.#parts.log.error({ err: error }, 'handshake failed');
        socket.destroy();
      });
    };
    if (!this.#queue.enter(admit))
      admit(new Disconnect(codes.overCapacity, 'Too many clients connect at once'));
  };

  get size(): number {
    return this.#connections.size;
  }

  /** Socket ids of an app, the newest connections first. */
  socketIds(app: App, limit: number): readonly string[] {
    const ids: string[] = [];
    for (const connection of this.#connections) if (connection.app === app) ids.push(connection.socketId);
    return ids.slice(-limit).reverse();
  }

  /** Bytes that wait until clients read, by app id. */
  bufferedBytes(): ReadonlyMap<string, number> {
    const apps = new Map<string, number>();
    for (const { app, bufferedBytes } of this.#connections) {
      apps.set(app.id, (apps.get(app.id) ?? 0) + bufferedBytes);
    }
    return apps;
  }

  /** Closes the connections whose app or key does not stand any more, or the key that signed who they are. */
  closeOrphans(): void {
    const notHim = new Disconnect(codes.unauthorized, 'The key that signed the sign-in was removed');
    for (const connection of [...this.#connections]) {
      const why = this.#whyOrphan(connection) ?? (connection.identityStands ? undefined : notHim);
      if (why) connection.close(why);
    }
  }

  #whyOrphan({ key, app }: Pick<Handshake, 'key' | 'app'>): Disconnect | undefined {
    if (this.#parts.apps.byKey(key) !== app) return new Disconnect(codes.appNotFound, 'The key was removed');
    return app.enabled ? undefined : new Disconnect(codes.appDisabled, 'The app was disabled');
  }

  /**
   * Closes all connections with 4200, oldest first, spread over the drain window, so that they do not all come to
   * the next node at once. Those who still arrive are refused with 4100.
   *
   * @param replaced another process accepts by now: the few who still arrive here are sent there, with 4200
   */
  async drain(replaced = false): Promise<void> {
    this.#draining = replaced ? 'replaced' : 'stopping';
    const steps = Math.max(1, Math.ceil((this.#parts.config.drainWindowSeconds * 1000) / DRAIN_STEP_MS));
    const slice = Math.ceil(this.#connections.size / steps);
    while (this.#connections.size > 0) {
      for (const connection of [...take(this.#connections, slice)]) connection.close(RECONNECT);
      if (this.#connections.size > 0) await new Promise((resolve) => setTimeout(resolve, DRAIN_STEP_MS));
    }
  }

  /** Ends everything at once. */
  close(): void {
    this.#draining ??= 'stopping';
    clearInterval(this.#sweep);
    this.#refused.close();
    for (const connection of [...this.#connections]) connection.terminate();
  }

  async #admit(request: IncomingMessage, socket: Duplex, head: Buffer, refused?: Disconnect): Promise<void> {
    const address = this.#parts.addressOf(request);
    const admission = refused ?? (await this.#judge(request, address));
    let connected = false;
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      socket.off('error', destroySocket);
      if (admission instanceof Disconnect) return this.#refuse(webSocket, socket, admission, address);
      const refusal = this.#whyNoLonger(admission);
      if (refusal) return this.#refuse(webSocket, socket, refusal, address);
      this.#connect(webSocket, socket, admission, address);
      connected = true;
    });
    if (connected) return;
    this.#parts.sockets.dismissed(socket, false);
    if (!(admission instanceof Disconnect)) await this.#release(admission.app, address);
  }

  /** Decides about a handshake; nothing is refused before the upgrade, since browsers cannot see why. */
  async #judge(request: IncomingMessage, address: string): Promise<Handshake | Disconnect> {
    const { apps, config, isSecure, ownerOf } = this.#parts;
    try {
      const handshake = readHandshake(request, {
        apps,
        pathPrefix: config.pathPrefix,
        secure: isSecure(request),
      });
      const { connections } = handshake.app.limits;
      const owner = ownerOf(address);
      this.#places.take(owner);
      // All are counted, also while there is no limit: a reload may bring one.
      let isHeld = false;
      try {
        isHeld = await this.#parts.adapter.counters.hold(quotaOf(handshake.app), connections ?? Infinity);
      } finally {
        if (!isHeld) this.#places.release(owner);
      }
      if (!isHeld) {
        throw new Disconnect(codes.overQuota, `The app has its limit of ${connections} connections`);
      }
      return handshake;
    } catch (error) {
      if (error instanceof Disconnect) return error;
      throw error;
    }
  }

  /** While the quota was asked for, the app may have been removed, and a drain may have begun. */
  #whyNoLonger(handshake: Handshake): Disconnect | undefined {
    const orphaned = this.#whyOrphan(handshake);
    if (orphaned) return orphaned;
    if (this.#draining === 'replaced') return RECONNECT;
    return this.#draining ? new Disconnect(codes.overCapacity, 'The server is shutting down') : undefined;
  }

  #connect(webSocket: ClientSocket, socket: Duplex, handshake: Handshake, address: string): void {
    const metrics = this.#parts.metrics.app(handshake.app.id);
    this.#parts.sockets.established(socket);
    this.#connections.add(
      new Connection(this.#connectionParts, webSocket, socket, handshake, metrics, address),
    );
  }

  #forget(connection: Connection, socket: Duplex): void {
    this.#connections.delete(connection);
    this.#parts.sockets.dismissed(socket, true);
    this.#release(connection.app, connection.address).catch((error: unknown) => {
      this.#parts.log[severityOf(error)](
        { err: error, appId: connection.app.id },
        'connection quota not released',
      );
    });
  }

  #release(app: App, address: string): Promise<void> {
    this.#places.release(this.#parts.ownerOf(address));
    return this.#parts.adapter.counters.release(quotaOf(app));
  }

  #refuse(webSocket: ClientSocket, socket: Duplex, why: Disconnect, address: string): void {
    const { code, reason } = why;
    if (why instanceof NoPlace) reached(this.#parts.metrics, this.#parts.log, why.bound, { address });
    increment(this.#parts.metrics.refusedHandshakes, code);
    this.#parts.log.info({ code, reason, address }, 'connection refused');
    // Where sockets are scarce, nobody is held.
    const holdMs = why instanceof NoPlace ? 0 : this.#draining ? HOLD_DRAINING_MS : HOLD_OVERLOADED_MS;
    this.#refused.refuse(webSocket, socket, why, holdMs);
  }

  /** Ends the slowest readers until what waits for all is within its bound. */
  #relieve(): void {
    for (const connection of this.#connections) connection.countBuffered();
    if (!this.#buffers.isOver) return;
    const slowest = [...this.#connections].filter(({ bufferedBytes }) => bufferedBytes > 0);
    slowest.sort((a, b) => b.bufferedBytes - a.bufferedBytes);
    for (const connection of slowest) {
      if (!this.#buffers.isOver) return;
      reached(this.#parts.metrics, this.#parts.log, 'buffered_bytes', connection.ids);
      connection.dropSlowReader();
    }
  }

  #checkActivity(): void {
    const at = this.#parts.monotonic();
    for (const connection of [...this.#connections]) connection.checkActivity(at);
  }
}

/** What one message may be made of. */
interface ReceiverBounds {
  readonly maxPayload: number;
  /** Fragments of one message: each costs memory, however short it is. */
  readonly maxFragments: number;
  /** Pieces that a frame may arrive in. */
  readonly maxBufferedChunks: number;
}

/** Libraries that fragment do so by kilobytes, and networks send packets of half a kilobyte or more. */
function receiverBounds(maxMessageBytes: number): ReceiverBounds {
  const kilobytes = Math.ceil(maxMessageBytes / 1024);
  return {
    maxPayload: maxMessageBytes,
    maxFragments: Math.max(64, kilobytes),
    maxBufferedChunks: Math.max(1024, kilobytes * 16),
  };
}

/** Of the container if there is one, else of the machine. */
function memoryBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

function quotaOf(app: App): string {
  return `connections:${app.id}`;
}

function* take<T>(items: Iterable<T>, count: number): Generator<T> {
  let taken = 0;
  for (const item of items) {
    if (taken === count) return;
    taken += 1;
    yield item;
  }
}

function destroySocket(this: Duplex): void {
  this.destroy();
}
