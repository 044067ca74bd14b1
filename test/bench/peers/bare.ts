/**
 * The floor of Node: plain `node:http` and `ws` with what no broker can leave out. It checks body, signature and JSON of
 * a publish, makes one frame for each message and one write for each socket and turn; it has no limits and no metrics.
 */
import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';

const SECRET = 'bench-8f3c1d7a52e94b60';
const channels = new Map<string, Map<WebSocket, Duplex>>();
const waiting = new Map<Duplex, Buffer[]>();

function flush(): void {
  for (const [socket, frames] of waiting)
    socket.write(frames.length === 1 ? frames[0] : Buffer.concat(frames));
  waiting.clear();
}

function send(socket: Duplex, frame: Buffer): void {
  if (waiting.size === 0) setImmediate(flush);
  const frames = waiting.get(socket);
  if (frames) frames.push(frame);
  else waiting.set(socket, [frame]);
}

function frameOf(message: object): Buffer {
  const text = Buffer.from(JSON.stringify(message));
  const header =
    text.length < 126
      ? Buffer.from([0x81, text.length])
      : Buffer.from([0x81, 126, text.length >> 8, text.length & 255]);
  return Buffer.concat([header, text]);
}

function broadcast(channel: string, message: object, except?: WebSocket): void {
  const sockets = channels.get(channel);
  if (sockets === undefined) return;
  const frame = frameOf(message);
  for (const [client, socket] of sockets) if (client !== except) send(socket, frame);
}

function isSigned(url: string, body: Buffer): boolean {
  const [path = '', query = ''] = url.split('?');
  const end = query.indexOf('&auth_signature=');
  if (!query.includes(`body_md5=${hash('md5', body)}`)) return false;
  const expected = createHmac('sha256', SECRET)
    .update(`POST\n${path}\n${query.slice(0, end)}`)
    .digest('hex');
  const given = query.slice(end + '&auth_signature='.length);
  return given.length === expected.length && timingSafeEqual(Buffer.from(given), Buffer.from(expected));
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
    if (!isSigned(request.url ?? '', body)) {
      response.writeHead(401).end();
      return;
    }
    const { name, channels: names, data } = JSON.parse(String(body));
    for (const channel of names) broadcast(channel, { event: name, channel, data });
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 2 }).end('{}');
  });
});

const sockets = new WebSocketServer({ noServer: true, clientTracking: false });
server.on('upgrade', (request, socket, head) =>
  sockets.handleUpgrade(request, socket, head, (client) => serve(client, socket)),
);

let connections = 0;

function serve(client: WebSocket, socket: Duplex): void {
  const joined: string[] = [];
  const data = JSON.stringify({ socket_id: `1.${++connections}`, activity_timeout: 120 });
  send(socket, frameOf({ event: 'pusher:connection_established', data }));
  client.on('message', (text) => {
    const message = JSON.parse(String(text));
    if (message.event !== 'pusher:subscribe') {
      broadcast(message.channel, message, client);
      return;
    }
    const { channel } = message.data as { channel: string };
    const members = channels.get(channel) ?? new Map<WebSocket, Duplex>();
    channels.set(channel, members.set(client, socket));
    joined.push(channel);
    send(socket, frameOf({ event: 'pusher_internal:subscription_succeeded', channel, data: '{}' }));
  });
  client.on('close', () => {
    for (const channel of joined) channels.get(channel)?.delete(client);
  });
  client.on('error', () => {});
}

server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 });
