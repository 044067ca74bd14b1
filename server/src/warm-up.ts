/**
 * Lets the engine compile the way of a connection before the first client takes it: a restart meets all of its clients at
 * once. The clients of a broker of its own, in memory and on a port of the loopback, connect and subscribe meanwhile.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Broker, BrokerParts } from './broker.ts';
import type { Config } from './config/config.ts';
import { parseConfig } from './config/load.ts';
import { createServer } from './server.ts';

/** Clients that connect at a time. */
const AT_ONCE = 64;
/** The opcode of a text, complete, and the bit of a length that announces a mask. */
const [TEXT, MASKED] = [0x81, 0x80];

/** Starts a broker, once its code is compiled. It listens only then. */
export async function startWarm(config: Config, parts: BrokerParts): Promise<Broker> {
  await warmUp(config.warmUpSeconds).catch((error: unknown) => {
    parts.log?.warn({ err: error }, 'failed to warm up');
  });
  return createServer(config, parts);
}

/** @param seconds that it takes; 0: it does nothing */
async function warmUp(seconds: number): Promise<void> {
  if (seconds === 0) return;
  const [id, key, secret] = ['warm-up', newSecret(), newSecret()];
  const limits = { connections: null };
  const apps = [{ id, keys: [{ key, secret }], limits }];
  const broker = await createServer(parseConfig({ host: '127.0.0.1', port: 0, console: false, apps }));
  let isOver = false;
  const over = delay(seconds * 1000).then(() => {
    isOver = true;
  });
  while (!isOver) {
    const visits = Array.from({ length: AT_ONCE }, () => visit(broker.port, key, secret));
    await Promise.race([over, Promise.all(visits)]);
  }
  // Ends the visits that are left.
  await broker.close();
}

/** Connects, subscribes to a private channel and leaves. */
function visit(port: number, key: string, secret: string): Promise<void> {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  let text = '';
  let isSubscribed = false;
  socket.on('data', (chunk: string) => {
    text += chunk;
    const [, socketId] = /socket_id\W+([\d.]+)/.exec(text) ?? [];
    if (socketId !== undefined && !isSubscribed) {
      isSubscribed = true;
      const channel = `private-${socketId}`;
      const signature = createHmac('sha256', secret).update(`${socketId}:${channel}`).digest('hex');
      const data = { channel, auth: `${key}:${signature}` };
      socket.write(frameOf(JSON.stringify({ event: 'pusher:subscribe', data })));
    }
    if (text.includes('subscription_succeeded')) socket.end();
  });
  // Whatever ends it, it closes.
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.write(
    `GET /app/${key}?protocol=7 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
  );
  return closed;
}

/** The frame of a text of 126 to 65,535 bytes, with a mask that changes nothing. */
function frameOf(text: string): Buffer {
  const header = Buffer.from([TEXT, MASKED | 126, text.length >> 8, text.length & 255, 0, 0, 0, 0]);
  return Buffer.concat([header, Buffer.from(text)]);
}

function newSecret(): string {
  return randomBytes(32).toString('hex');
}
