import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { Broker } from '@countersign/server';
import { onTestFinished } from 'vitest';
import { APP } from '../brokers/server.ts';
import { Inbox } from './event-inbox.ts';

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** A frame as it came, the close code, or the end of the TCP connection. */
export type RawReceived =
  | { readonly opcode: number; readonly payload: string }
  | { readonly code: number; readonly reason: string }
  | 'end';

interface FrameParts {
  readonly opcode?: number;
  readonly payload?: string | Buffer;
  /** Whether it ends its message. @default true */
  readonly fin?: boolean;
  /** As clients must. @default true */
  readonly masked?: boolean;
  /** The three reserved bits. @default 0 */
  readonly reserved?: number;
  /** The length that the header tells. @default the true one */
  readonly length?: number;
}

/** Any WebSocket frame, right or wrong (RFC 6455, section 5.2). */
export function frameOf({ opcode = opcodes.text, payload = '', fin = true, ...rest }: FrameParts): Buffer {
  const { masked = true, reserved = 0 } = rest;
  const body = Buffer.from(payload);
  const length = rest.length ?? body.length;
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const header = Buffer.alloc(2 + extended);
  header[0] = (fin ? 0x80 : 0) | (reserved << 4) | opcode;
  header[1] = (masked ? 0x80 : 0) | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) header.writeUInt16BE(length, 2);
  if (extended === 8) header.writeBigUInt64BE(BigInt(length), 2);
  if (!masked) return Buffer.concat([header, body]);
  const mask = randomBytes(4);
  return Buffer.concat([header, mask, body.map((byte, index) => byte ^ mask[index % 4]!)]);
}

/** The request that opens a WebSocket. */
export function upgradeRequest(path = `/app/${APP.key}?protocol=7`, headers: readonly string[] = []): string {
  return [
    `GET ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
    '\r\n',
  ].join('\r\n');
}

/** A client on a bare TCP connection: it sends and leaves out what a WebSocket library would not let it. */
export class RawClient {
  readonly socket: Socket;
  readonly #inbox = new Inbox<RawReceived>('a raw frame');
  #bytes: Buffer = Buffer.alloc(0);
  #upgraded = false;

  constructor({ host, port }: Pick<Broker, 'host' | 'port'>) {
    this.socket = connect(port, host);
    this.socket.on('data', (bytes) => this.#read(bytes));
    this.socket.on('close', () => this.#inbox.put('end'));
    this.socket.on('error', () => {});
    onTestFinished(() => void this.socket.destroy());
  }

  send(...bytes: readonly (Buffer | string)[]): void {
    this.socket.write(Buffer.concat(bytes.map((part) => Buffer.from(part))));
  }

  /** Asks for a WebSocket, without waiting for it. */
  upgrade(path?: string): void {
    this.send(upgradeRequest(path));
  }

  next(): Promise<RawReceived> {
    return this.#inbox.next();
  }

  /** Waits for the close frame, or for the end of a connection that ended without one. */
  async closed(): Promise<RawReceived> {
    const received = await this.#inbox.until((r) => r === 'end' || 'code' in r);
    return received.at(-1)!;
  }

  #read(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    if (!this.#upgraded) {
      const end = this.#bytes.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.#bytes = this.#bytes.subarray(end + 4);
      this.#upgraded = true;
    }
    for (let frame = this.#take(); frame; frame = this.#take()) this.#inbox.put(frame);
  }

  /** The next whole frame; the broker sends no fragments and no mask. */
  #take(): RawReceived | undefined {
    const [first = 0, short = 0] = this.#bytes;
    const start = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (this.#bytes.length < start) return undefined;
    const length =
      short < 126
        ? short
        : short === 126
          ? this.#bytes.readUInt16BE(2)
          : Number(this.#bytes.readBigUInt64BE(2));
    if (this.#bytes.length < start + length) return undefined;
    const payload = this.#bytes.subarray(start, start + length);
    this.#bytes = this.#bytes.subarray(start + length);
    const opcode = first & 0x0f;
    if (opcode !== opcodes.close) return { opcode, payload: payload.toString() };
    return { code: payload.readUInt16BE(0), reason: payload.toString('utf8', 2) };
  }
}

/** A raw client whose handshake is done and whose `connection_established` has come. */
export async function connectRaw(broker: Pick<Broker, 'host' | 'port'>, path?: string): Promise<RawClient> {
  const client = new RawClient(broker);
  client.upgrade(path);
  await client.next();
  return client;
}
