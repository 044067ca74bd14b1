import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { DEADLINE_MS } from '../deadline.ts';

/** Whatever comes in, kept from the first moment, and taken out in order. */
class Inbox<Item> {
  #items: Item[] = [];
  #waiting: ((item: Item) => void)[] = [];

  put(item: Item): void {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(item);
    else this.#items.push(item);
  }

  next(what: string): Promise<Item> {
    if (this.#items.length > 0) return Promise.resolve(this.#items.shift() as Item);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`No ${what} within ${DEADLINE_MS} ms`)), DEADLINE_MS);
      this.#waiting.push((item) => {
        clearTimeout(timer);
        resolve(item);
      });
    });
  }
}

/** One connection of a client, driven frame by frame. */
export class Peer {
  readonly #frames = new Inbox<string>();
  readonly #closed: Promise<number>;

  constructor(
    readonly socket: WebSocket,
    /** Path and query that the client asked for. */
    readonly url: string,
  ) {
    socket.on('message', (data) => this.#frames.put(String(data)));
    this.#closed = new Promise((resolve) => socket.on('close', resolve));
  }

  /** The client's next frame, parsed. */
  async next(): Promise<unknown> {
    return JSON.parse(await this.#frames.next('frame'));
  }

  send(frame: object | string): void {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  /** Sends an event as the broker does, with its data in JSON text. */
  event(event: string, data: unknown, channel?: string, extra: object = {}): void {
    this.send({ event, ...(channel && { channel }), data: JSON.stringify(data), ...extra });
  }

  greet(socketId = '1234.5678', activityTimeout = 120): void {
    this.event('pusher:connection_established', { socket_id: socketId, activity_timeout: activityTimeout });
  }

  confirm(channel: string, data: unknown = {}): void {
    this.event('pusher_internal:subscription_succeeded', data, channel);
  }

  /** The close code, once the client is gone. */
  closed(): Promise<number> {
    return this.#closed;
  }
}

/** Stands where the broker would, and says what the test tells it to. */
export class FakeEndpoint {
  readonly #peers = new Inbox<Peer>();

  constructor(readonly server: WebSocketServer) {
    server.on('connection', (socket, request) => this.#peers.put(new Peer(socket, request.url ?? '')));
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** The next connection. */
  accept(): Promise<Peer> {
    return this.#peers.next('connection');
  }

  /** The next connection, greeted. */
  async welcome(socketId?: string, activityTimeout?: number): Promise<Peer> {
    const peer = await this.accept();
    peer.greet(socketId, activityTimeout);
    return peer;
  }
}

export async function startEndpoint(): Promise<FakeEndpoint> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  onTestFinished(async () => {
    for (const client of server.clients) client.terminate();
    await new Promise((resolve) => server.close(resolve));
  });
  return new FakeEndpoint(server);
}
