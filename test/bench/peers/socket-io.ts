/** socket.io with its own rooms: a client names its room when it connects, and `POST /publish` emits to it. */
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const server = createServer();
const io = new Server(server, { transports: ['websocket'], serveClient: false });

io.on('connection', async (socket) => {
  const room = String(socket.handshake.auth['channel']);
  await socket.join(room);
  socket.on('client-m', (data: unknown) => socket.to(room).emit('client-m', data));
});

server.on('request', (request, response) => {
  if (request.url !== '/publish') return;
  let body = '';
  request.setEncoding('utf8').on('data', (text: string) => {
    body += text;
  });
  request.on('end', () => {
    const { name, channels, data } = JSON.parse(body) as { name: string; channels: string[]; data: string };
    io.to(channels).emit(name, data);
    response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
  });
});

server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 });
