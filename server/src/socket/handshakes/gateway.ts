import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import type { Adapter } from '../../adapter/adapter.ts';
import type { App, AppName, AppStore } from '../../apps/app.ts';
import { inTurns } from '../../async/in-turns.ts';
import { codes, Disconnect, Unavailable } from '../../errors.ts';
import type { Metrics } from '../../metrics.ts';
import type { ClientSocket } from '../client-socket.ts';
import { Connection, type ConnectionParts } from '../connection.ts';
import type { OpenConnections } from '../open-connections.ts';
import { OutboundBuffers } from '../outbound-buffers.ts';
import { UserEventRate } from '../rate-limits.ts';
import { Report } from '../reports/report.ts';
import { AdmissionQueue } from './admission-queue.ts';
import { ConnectionPlaces, NoPlace, type PlacesBounds } from './connection-places.ts';
import { type Handshake, isCapable, keyOf, readHandshake } from './handshake.ts';
import { RefusedHandshakes } from './refused-handshakes.ts';
import { createUpgrader, type Upgrader } from './upgrader.ts';

/** Milliseconds between two searches for silent clients. */
const SWEEP_MS = 1000;
/** Milliseconds between two slices of a drain. */
const DRAIN_STEP_MS = 100;
/** Milliseconds for which a refused client may be held: long when the node is overloaded, short when it drains. */
const HOLD_OVERLOADED_MS = 10_000;
const HOLD_DRAINING_MS = 2000;
const RECONNECT = new Disconnect(codes.reconnect, 'draining', 'The server restarts: please reconnect');

/** Admits clients: checks handshakes, upgrades them, and holds the connections of this node. */
export class Gateway {
  readonly #connections: OpenConnections;
  readonly #parts: GatewayParts;
  readonly #connectionParts: ConnectionParts;
  readonly #report: Report;
  readonly #upgrader: Upgrader;
  readonly #buffers: OutboundBuffers;
  readonly #queue = new AdmissionQueue();
  readonly #places: ConnectionPlaces;
  readonly #refused = new RefusedHandshakes();
  readonly #sweep: NodeJS.Timeout;
  #draining: 'stopping' | 'replaced' | undefined;

  constructor(parts: GatewayParts) {
    this.#parts = parts;
    this.#connections = parts.connections;
    this.#report = new Report(parts.log, parts.metrics, parts.audit, parts.recorder);
    this.#buffers = new OutboundBuffers(parts.config.maxBufferedTotalBytes, () => this.#cutOffSlowest());
    this.#connectionParts = {
      ...parts,
      report: this.#report,
      userEvents: new UserEventRate(parts.adapter.counters),
      buffers: this.#buffers,
      onEnd: (connection, socket) => this.#forget(connection, socket),
    };
    this.#places = new ConnectionPlaces(parts.bounds, parts.adapter.counters);
    this.#upgrader = createUpgrader(parts.config.maxMessageBytes);
    this.#sweep = setInterval(() => this.#checkActivity(), SWEEP_MS).unref();
  }

  /**
   * Handles a request for a WebSocket.
   *
   * @param refusal why the client is refused, if the caller has decided that already
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
        this.#report.handshakeFailed(error);
        socket.destroy();
      });
    };
    if (!this.#queue.enter(this.#appOf(request), admit))
      admit(new Disconnect(codes.overCapacity, 'over_capacity', 'Too many clients connect at once'));
  };

  /** Closes the connections whose app was removed, or whose key or signing key was removed or revoked. */
  closeOrphans(): void {
    const orphans: (readonly [Connection, Disconnect])[] = [];
    for (const connection of this.#connections) {
      const ofSignIn = connection.whySignInInvalid;
      const why =
        ofSignIn?.errorCode === 'key_revoked' ? ofSignIn : (this.#whyOrphan(connection) ?? ofSignIn);
      if (!why) continue;
      connection.silence();
      orphans.push([connection, why]);
    }
    void inTurns(orphans, (slice) => {
      for (const [connection, why] of slice) connection.close(why);
    });
  }

  #whyOrphan({ key, app }: Pick<Handshake, 'key' | 'app'>): Disconnect | undefined {
    if (this.#parts.apps.byKey(key) !== app)
      return new Disconnect(codes.appNotFound, 'key_removed', 'The key was removed');
    if (app.keyOf(key)?.isRevoked)
      return new Disconnect(codes.appNotFound, 'key_revoked', 'The key was revoked');
    return app.enabled
      ? undefined
      : new Disconnect(codes.appDisabled, 'app_disabled', 'The app was disabled');
  }

  /**
   * Refuses new clients with 4100.
   *
   * @param replaced another process accepts connections on the same socket: new clients are sent there, with 4200
   */
  turnAway(replaced: boolean): void {
    this.#draining = replaced ? 'replaced' : 'stopping';
  }

  /**
   * Closes all connections with 4200, oldest first, spread over the drain window, so that they do not all reach
   * the next node at once.
   */
  async drain(): Promise<void> {
    const steps = Math.max(1, Math.ceil((this.#parts.config.drainWindowSeconds * 1000) / DRAIN_STEP_MS));
    const slice = Math.ceil(this.#connections.size / steps);
    while (this.#connections.size > 0) {
      for (const connection of this.#connections.oldest(slice)) connection.close(RECONNECT);
      if (this.#connections.size > 0) await new Promise((resolve) => setTimeout(resolve, DRAIN_STEP_MS));
    }
  }

  /** Ends all connections at once. */
  close(): void {
    this.#draining ??= 'stopping';
    clearInterval(this.#sweep);
    this.#refused.close();
    for (const connection of [...this.#connections]) connection.terminate();
  }

  async #admit(request: IncomingMessage, socket: Duplex, head: Buffer, refused?: Disconnect): Promise<void> {
    const address = this.#parts.addressOf(request);
    const admission = refused ?? (await this.#check(request, address));
    let connected = false;
    this.#upgrader.handleUpgrade(request, socket, head, (webSocket) => {
      socket.off('error', destroySocket);
      if (admission instanceof Disconnect) {
        return this.#refuse(request, webSocket, socket, admission, address);
      }
      const refusal = this.#whyNoLonger(admission);
      if (refusal) return this.#refuse(request, webSocket, socket, refusal, address);
      this.#connect(webSocket, socket, admission, address);
      connected = true;
    });
    if (connected) return;
    this.#parts.sockets.dismissed(socket, false);
    if (!(admission instanceof Disconnect)) await this.#release(admission.app, address);
  }

  /** Checks a handshake and takes its places. Refusals are sent after the upgrade, because browsers do not show an HTTP error. */
  async #check(request: IncomingMessage, address: string): Promise<Handshake | Disconnect> {
    const { apps, config, isSecure, ownerOf } = this.#parts;
    try {
      await this.#catchUp(request);
      const handshake = readHandshake(request, {
        apps,
        pathPrefix: config.pathPrefix,
        secure: isSecure(request),
      });
      if (!this.#parts.quotas.allowsConnection(handshake.app)) throw quotaExceeded(handshake.app);
      await this.#places.take(handshake.app, ownerOf(address));
      return handshake;
    } catch (error) {
      if (error instanceof Disconnect) return error;
      throw error;
    }
  }

  /** The app that a handshake names. */
  #appOf(request: IncomingMessage): App | undefined {
    const key = keyOf(request, this.#parts.config.pathPrefix);
    return key === undefined ? undefined : this.#parts.apps.byKey(key);
  }

  /** @throws Disconnect if it is not known whether the app has changed */
  async #catchUp(request: IncomingMessage): Promise<void> {
    const key = keyOf(request, this.#parts.config.pathPrefix);
    if (key === undefined) return;
    try {
      await this.#parts.caughtUp({ key });
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      throw new Disconnect(codes.overCapacity, 'unavailable', 'The server cannot look up the app now');
    }
  }

  /** While the quota was checked, a reload may have removed the app, and a drain may have begun. */
  #whyNoLonger(handshake: Handshake): Disconnect | undefined {
    const orphaned = this.#whyOrphan(handshake);
    if (orphaned) return orphaned;
    if (this.#draining === 'replaced') return RECONNECT;
    return this.#draining
      ? new Disconnect(codes.overCapacity, 'draining', 'The server is shutting down')
      : undefined;
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
      this.#report.quotaNotReleased(connection.app.id, error);
    });
  }

  #release(app: App, address: string): Promise<void> {
    return this.#places.release(app, this.#parts.ownerOf(address));
  }

  #refuse(
    request: IncomingMessage,
    webSocket: ClientSocket,
    socket: Duplex,
    why: Disconnect,
    address: string,
  ): void {
    if (why instanceof NoPlace) this.#report.boundReached(why.bound, { address });
    this.#report.handshakeRefused(why, address, this.#appOf(request));
    // Where sockets are scarce, no client is held.
    const holdMs = why instanceof NoPlace ? 0 : this.#draining ? HOLD_DRAINING_MS : HOLD_OVERLOADED_MS;
    this.#refused.refuse(webSocket, socket, why, { isCapable: isCapable(request), holdMs });
  }

  /** Ends the slowest readers until the outbound buffers are within their bound. */
  #cutOffSlowest(): void {
    for (const connection of this.#connections) connection.countBuffered();
    if (!this.#buffers.isOver) return;
    for (const connection of this.#connections.slowest()) {
      if (!this.#buffers.isOver) return;
      this.#report.buffersExceeded(connection);
      connection.dropSlowReader();
    }
  }

  #checkActivity(): void {
    const at = this.#parts.monotonic();
    for (const connection of [...this.#connections]) connection.checkActivity(at);
  }
}

function quotaExceeded({ limits }: App): Disconnect {
  const quota = `The app has a quota of ${limits.connectionMinutesPerMonth} connection minutes a month`;
  return new Disconnect(codes.overQuota, 'quota_exceeded', quota);
}

/** What a gateway needs. */
export interface GatewayParts extends Omit<ConnectionParts, 'report' | 'userEvents' | 'buffers' | 'onEnd'> {
  readonly apps: AppStore;
  /**
   * Waits until this node has what other nodes have changed about an app; `undefined`: it has.
   *
   * @throws Unavailable if that cannot be known now
   */
  readonly caughtUp: (app: AppName) => Promise<void> | undefined;
  /** Filled and emptied by the gateway. */
  readonly connections: OpenConnections;
  readonly adapter: Adapter;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** The client's address, also behind trusted proxies. */
  readonly addressOf: (request: IncomingMessage) => string;
  /** The key under which the connections of an address are counted; `undefined`: the address has no bound. */
  readonly ownerOf: (address: string) => string | undefined;
  readonly bounds: PlacesBounds;
  /** Counts the sockets of the process. */
  readonly sockets: Sockets;
  /** Whether the client uses TLS, here or at a trusted proxy. */
  readonly isSecure: (request: IncomingMessage) => boolean;
}

/** The bookkeeping of transient sockets, which the gateway notifies. */
export interface Sockets {
  established(socket: Duplex): void;
  dismissed(socket: Duplex, wasEstablished: boolean): void;
}

function destroySocket(this: Duplex): void {
  this.destroy();
}
