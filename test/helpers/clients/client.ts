import { channelText, sign, userText } from '@countersign/sdk-server/signature';
import type { Broker } from '@countersign/server';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { APP, type Credentials } from '../brokers/server.ts';
import { DEADLINE_MS } from '../deadline.ts';
import { frames } from '../frames.ts';

/** A frame as it came, or the close that ended it all. */
export type Received = string | { readonly code: number; readonly reason: string };

/** A raw WebSocket client that keeps all that it receives, from the first byte on. */
export class TestClient {
  readonly socket: WebSocket;
  readonly #inbox: Received[] = [];
  #waiting: (() => void) | undefined;

  constructor(url: string, options?: ConstructorParameters<typeof WebSocket>[2]) {
    this.socket = new WebSocket(url, options);
    this.socket.on('message', (data) => this.#put(data.toString()));
    this.socket.on('close', (code, reason) => this.#put({ code, reason: reason.toString() }));
    this.socket.on('error', () => {});
  }

  socketId = '';
  /** Who signs for this client. */
  credentials: Credentials = APP;

  /** The next thing received; rejects when nothing comes before the deadline. */
  async next(deadlineMs = DEADLINE_MS): Promise<Received> {
    const until = performance.now() + deadlineMs;
    while (this.#inbox.length === 0) {
      const left = until - performance.now();
      if (left <= 0) throw new Error('Nothing was received before the deadline');
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#inbox.shift()!;
  }

  /** The next frame, parsed; `data` stays as it came. */
  async nextMessage(
    deadlineMs = DEADLINE_MS,
  ): Promise<{ event: string; channel?: string; data?: unknown; user_id?: unknown }> {
    const received = await this.next(deadlineMs);
    if (typeof received !== 'string') throw new Error(`Closed: ${received.code} ${received.reason}`);
    return JSON.parse(received);
  }

  /** What comes until something fits. */
  async until(fits: (received: Received) => boolean): Promise<Received[]> {
    const received: Received[] = [];
    do received.push(await this.next());
    while (!fits(received.at(-1)!));
    return received;
  }

  /** Waits for the close. One that the protocol knows is told by a `pusher:error` right before. */
  async closed(): Promise<{ readonly code: number; readonly reason: string }> {
    const [told, close] = (await this.until((r) => typeof r !== 'string')).slice(-2);
    const end = close ?? told;
    if (end === undefined || typeof end === 'string') throw new Error('unreachable');
    const isTold = end.code >= 4000 && end.code < 4300;
    if (isTold && typeof told !== 'string') throw new Error(`Nothing told of the close ${end.code}`);
    if (isTold && typeof told === 'string') {
      const { event, data } = JSON.parse(told);
      const texts = [data.message, `${data.error_code}: ${data.message}`];
      const isSame = texts.some((text) => text.startsWith(end.reason));
      if (event !== 'pusher:error' || data.code !== end.code || !isSame)
        throw new Error(`Another thing than the close ${end.code} was told: ${told}`);
    }
    return end;
  }

  /** Proves that nothing more came: whatever did stands before the answer to a ping. */
  async nothing(): Promise<Received[]> {
    this.send({ event: 'pusher:ping', data: {} });
    return (await this.until((r) => r === frames.pong)).slice(0, -1);
  }

  send(message: object | string): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  subscribe(channel: string, data: object = {}): void {
    this.send({ event: 'pusher:subscribe', data: { auth: '', channel, ...data } });
  }

  unsubscribe(channel: string): void {
    this.send({ event: 'pusher:unsubscribe', data: { channel } });
  }

  /** Asks for a subscription with a signature for it. A text is sent as it is, an object as its JSON. */
  askFor(channel: string, member?: object | string): void {
    const channelData = typeof member === 'object' ? JSON.stringify(member) : member;
    this.subscribe(channel, {
      auth: authorize(this.socketId, channel, channelData, this.credentials),
      ...(channelData !== undefined && { channel_data: channelData }),
    });
  }

  /** Asks for a subscription with a signature for it, and waits for the answer. */
  join(channel: string, member?: object | string): Promise<Received> {
    this.askFor(channel, member);
    return this.next();
  }

  /** Signs in, and waits for the answer. A text is sent as it is, an object as its JSON. */
  signIn(user: object | string): Promise<Received> {
    const userData = typeof user === 'object' ? JSON.stringify(user) : user;
    const auth = authenticate(this.socketId, userData, this.credentials);
    this.send({ event: 'pusher:signin', data: { auth, user_data: userData } });
    return this.next();
  }

  /** Sends a client event. */
  trigger(channel: string, name: string, data: unknown): void {
    this.send({ event: name, data, channel });
  }

  /** Waits for `connection_established`. */
  async established(deadlineMs = DEADLINE_MS): Promise<this> {
    const { event, data } = await this.nextMessage(deadlineMs);
    if (event !== 'pusher:connection_established') throw new Error(`Not established: ${event}`);
    this.socketId = JSON.parse(String(data)).socket_id;
    return this;
  }

  close(): void {
    this.socket.terminate();
  }

  #put(received: Received): void {
    this.#inbox.push(received);
    this.#waiting?.();
  }
}

/** What a customer's backend answers: `KEY:SIGNATURE`. */
export function authorize(
  socketId: string,
  channel: string,
  channelData?: string,
  { key, secret }: Credentials = APP,
): string {
  return `${key}:${sign(secret, channelText(socketId, channel, channelData))}`;
}

/** What a customer's backend answers about a user. */
export function authenticate(socketId: string, userData: string, { key, secret }: Credentials = APP): string {
  return `${key}:${sign(secret, userText(socketId, userData))}`;
}

/** Opens a socket to a path of the broker, without waiting for anything. */
export function open(
  broker: Pick<Broker, 'url'>,
  path = `/app/${APP.key}?protocol=7&client=test&version=1.0`,
  options?: ConstructorParameters<typeof WebSocket>[2],
): TestClient {
  const client = new TestClient(`${broker.url.replace(/^http/, 'ws')}${path}`, options);
  onTestFinished(() => client.close());
  return client;
}

/** A client that is connected and understands the extensions of the protocol. */
export function connectCapable(broker: Pick<Broker, 'url'>): Promise<TestClient> {
  return open(broker, `/app/${APP.key}?protocol=7&client=test&version=1.0&countersign=1`).established();
}

/** A client that is connected. */
export function connect(broker: Pick<Broker, 'url'>, credentials: Credentials = APP): Promise<TestClient> {
  const client = open(broker, `/app/${credentials.key}?protocol=7&client=test&version=1.0`);
  client.credentials = credentials;
  return client.established();
}
