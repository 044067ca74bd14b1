/**
 * What people build first with `ws`: a set of sockets for each channel, JSON and one `send` for every subscriber.
 * It speaks enough of the protocol for the generator, and checks no signature.
 */
import { createServer } from 'node:http';
import { type WebSocket, WebSocketServer } from 'ws';

const channels = new Map<string, Set<WebSocket>>();

function broadcast(message: { event: string; channel: string; data: unknown }, except?: WebSocket): void {
  for (const socket of channels.get(message.channel) ?? []) {
    if (socket !== except) socket.send(JSON.stringify(message));
  }
}

const server = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8').on('data', (text: string) => {
    body += text;
  });
  request.on('end', () => {
    const {
      name,
      channels: names,
      data,
    } = JSON.parse(body) as {
      name: string;
      channels: string[];
      data: string;
    };
    for (const channel of names) broadcast({ event: name, channel, data });
    response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
  });
});

new WebSocketServer({ server }).on('connection', (socket) => {
  const joined = new Set<Set<WebSocket>>();
  socket.send(
    JSON.stringify({
      event: 'pusher:connection_established',
      data: JSON.stringify({ socket_id: '1.1', activity_timeout: 120 }),
    }),
  );
  socket.on('message', (text) => {
    const { event, channel, data } = JSON.parse(String(text)) as {
      event: string;
      channel?: string;
      data: { channel: string };
    };
    if (event === 'pusher:subscribe') {
      const sockets = channels.get(data.channel) ?? new Set();
      channels.set(data.channel, sockets);
      sockets.add(socket);
      joined.add(sockets);
      socket.send(
        JSON.stringify({
          event: 'pusher_internal:subscription_succeeded',
          channel: data.channel,
          data: '{}',
        }),
      );
    } else if (channel !== undefined) {
      broadcast({ event, channel, data }, socket);
    }
  });
  socket.on('close', () => {
    for (const sockets of joined) sockets.delete(socket);
  });
  socket.on('error', () => {});
});

server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 });
