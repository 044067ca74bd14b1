import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { APP } from '../brokers/server.ts';

/** A client over a bare socket, without timers and with few listeners, so that ten thousand fit into one test. */
export class BareClient {
  /** All that came, frames and their headers alike. */
  received = '';
  readonly #socket: Socket;
  #wanted: { readonly text: string; resolve(): void; reject(error: Error): void } | undefined;

  private constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.on('data', (bytes) => {
      this.received += bytes.toString('latin1');
      if (this.#wanted && this.received.includes(this.#wanted.text)) this.#wanted.resolve();
    });
    this.#socket.on('error', (error) => this.#wanted?.reject(error));
    this.#socket.on('close', () => this.#wanted?.reject(new Error('The socket was closed')));
    this.#socket.write(
      `GET /app/${APP.key}?protocol=7 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    );
  }

  /** Connects, and subscribes to a public channel. */
  static async subscribe(port: number, channel: string): Promise<BareClient> {
    const client = new BareClient(port);
    onTestFinished(() => void client.#socket.destroy());
    await client.until('connection_established');
    client.#socket.write(masked(`{"event":"pusher:subscribe","data":{"channel":"${channel}"}}`));
    await client.until('subscription_succeeded');
    return client;
  }

  /** Waits until a text was received; rejects when the socket ends before that. */
  until(text: string): Promise<void> {
    if (this.received.includes(text)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#wanted = { text, resolve, reject };
    });
  }
}

/** A short text frame as clients send it. The mask is zero, which changes nothing. */
function masked(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
}
