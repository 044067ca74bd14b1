/**
 * An app that does all that it may, in one of three ways, in a process of its own: `loud.js PORT WAY SUBSCRIBERS`. It begins and
 * pauses at each message of its parent. What it sends is written in advance, so that it costs the broker more than itself.
 */
import { createHash, createHmac } from 'node:crypto';
import { connect } from 'node:net';
import { HOST, LOUD } from './apps.js';

/** Clients that connect at a time. */
const CLIENTS = 200;
/** Channels that each of them joins. */
const CHANNELS = 20;
/** Requests that are under way at a time. */
const REQUESTS = 100;

const [, , port = '', way = '', subscribers = ''] = process.argv;
const UNMASKED = Buffer.alloc(4);

let isOn = false;
/** What waits until it may go on. @type {(() => void)[]} */
let paused = [];

/** @param {() => void} step */
function whenOn(step) {
  if (isOn) step();
  else paused.push(step);
}

/** A text frame of a client, with a mask of zeros. @param {object} message */
function frameOf(message) {
  const text = Buffer.from(JSON.stringify(message));
  const head = Buffer.from([0x81, 0x80 | 126, text.length >> 8, text.length & 0xff]);
  return Buffer.concat([head, UNMASKED, text]);
}

/** @param {string} key */
function handshakeOf(key) {
  return `GET /app/${key}?protocol=7 HTTP/1.1\r\nHost: ${HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n`;
}

/**
 * @param {string} method
 * @param {string} path
 * @param {{ readonly body?: unknown, readonly parameters?: string, readonly secret?: string }} [options]
 */
function requestOf(method, path, { body, parameters = '', secret = LOUD.secret } = {}) {
  const text = body === undefined ? '' : JSON.stringify(body);
  const md5 = text && `&body_md5=${createHash('md5').update(text).digest('hex')}`;
  const query = `auth_key=${LOUD.key}&auth_timestamp=${Math.floor(Date.now() / 1000)}&auth_version=1.0${md5}${parameters}`;
  const signature = createHmac('sha256', secret).update(`${method}\n${path}\n${query}`).digest('hex');
  return `${method} ${path}?${query}&auth_signature=${signature} HTTP/1.1\r\nHost: ${HOST}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
}

/** A client that only listens, and comes back when it is thrown out. */
function listen() {
  return new Promise((resolve) => {
    const socket = connect(Number(port), HOST, () => {
      socket.write(handshakeOf(LOUD.key));
      socket.write(frameOf({ event: 'pusher:subscribe', data: { channel: 'news' } }));
    });
    socket.on('error', () => {}).on('data', resolve);
    socket.on('close', () => setTimeout(() => whenOn(listen), 100));
  });
}

/** Sends one request after the other on one connection, each once the one before is answered. @param {readonly string[]} requests */
function ask(requests) {
  let next = 0;
  const send = () => {
    socket.write(/** @type {string} */ (requests[next++ % requests.length]));
  };
  const socket = connect(Number(port), HOST, () => whenOn(send));
  socket
    .on('error', () => {})
    .on('data', (data) => {
      if (data.includes('HTTP/1.1 ')) whenOn(send);
    });
  socket.on('close', () => whenOn(() => ask(requests)));
}

/** A client that signs in, joins its channels, leaves, and is followed by another one. */
function come() {
  const socket = connect(Number(port), HOST, () => socket.write(handshakeOf(LOUD.key)));
  let joined = 0;
  socket
    .on('error', () => {})
    .on('data', (data) => {
      const text = data.toString('latin1');
      const [, socketId] = /socket_id\W+([\d.]+)/.exec(text) ?? [];
      if (socketId) socket.write(Buffer.concat(introductionOf(socketId)));
      joined += text.split('subscription_succeeded').length - 1;
      if (joined === CHANNELS) socket.destroy();
    });
  socket.on('close', () => whenOn(come));
}

/** @param {string} socketId */
function introductionOf(socketId) {
  /** @param {string} text */
  const proofOf = (text) => `${LOUD.key}:${createHmac('sha256', LOUD.secret).update(text).digest('hex')}`;
  const user = JSON.stringify({ id: socketId });
  const member = JSON.stringify({ user_id: socketId });
  return [
    frameOf({
      event: 'pusher:signin',
      data: { user_data: user, auth: proofOf(`${socketId}::user::${user}`) },
    }),
    ...Array.from({ length: CHANNELS }, (_, n) => {
      const channel = n % 2 ? `private-${n}` : `presence-${n}-${socketId.replace('.', '-')}`;
      const data = n % 2 ? undefined : member;
      const auth = proofOf([socketId, channel, ...(data ? [data] : [])].join(':'));
      return frameOf({ event: 'pusher:subscribe', data: { channel, auth, channel_data: data } });
    }),
  ];
}

/** A client that is refused. */
function fail() {
  const socket = connect(Number(port), HOST, () => socket.write(handshakeOf('no-such-key')));
  socket.on('error', () => {}).on('data', () => socket.destroy());
  socket.on('close', () => whenOn(fail));
}

const data = 'x'.repeat(200);
const path = `/apps/${LOUD.id}`;
const batch = { batch: Array.from({ length: 10 }, () => ({ name: 'e', channel: 'news', data })) };
const channels = Array.from({ length: 100 }, (_, n) => `room-${n}`);

const WAYS = {
  'fan-out': async () => {
    for (let n = 0; n < Number(subscribers); n += CLIENTS)
      await Promise.all(Array.from({ length: CLIENTS }, listen));
    for (let n = 0; n < REQUESTS; n += 1) ask([requestOf('POST', `${path}/batch_events`, { body: batch })]);
  },
  connecting: () => {
    for (let n = 0; n < CLIENTS; n += 1) whenOn(n % 4 === 0 ? fail : come);
  },
  requests: () => {
    const requests = [
      requestOf('POST', `${path}/events`, { body: { name: 'e', channels, data } }),
      requestOf('POST', `${path}/batch_events`, { body: batch }),
      requestOf('GET', `${path}/channels`),
      requestOf('GET', `${path}/channels/presence-a/users`),
      requestOf('GET', `${path}/channels/news`, { secret: 'wrong' }),
      requestOf('GET', `${path}/nothing`),
    ];
    for (let n = 0; n < REQUESTS; n += 1) ask([...requests.slice(n % requests.length), ...requests]);
  },
};

process.on('message', () => {
  isOn = !isOn;
  const steps = isOn ? paused : [];
  if (isOn) paused = [];
  for (const step of steps) step();
});
process.on('disconnect', () => process.exit());
await WAYS[/** @type {keyof typeof WAYS} */ (way)]();
process.send?.('ready');
