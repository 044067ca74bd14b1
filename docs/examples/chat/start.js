/** `npm run example`: broker, backend and page in one process, on the loopback. Ctrl-C ends them. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { Countersign } from '@countersign/sdk-server';
import { createServer, parseConfig } from '@countersign/server';
import { createBackend } from './backend.js';

const host = '127.0.0.1';
/** The backend verifies webhooks with it. A receiver elsewhere needs no other secret. */
const webhookSecret = `whsec_${randomBytes(32).toString('base64')}`;
const app = { id: '1', key: randomBytes(10).toString('hex'), secret: randomBytes(32).toString('hex') };

// The broker needs the backend's port for webhooks, and the backend the broker's: so the backend's port comes first.
const server = createHttpServer().listen(Number(process.env['PORT'] ?? 3000), host);
await once(server, 'listening');
const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
const url = `http://${host}:${port}`;

const config = parseConfig({
  host,
  port: 0,
  apps: [
    {
      id: app.id,
      keys: [{ key: app.key, secret: app.secret }],
      // Sends each device the number of its user's devices.
      subscriptionCount: true,
      webhooks: [
        {
          id: 'backend',
          url: `${url}/webhooks`,
          secret: webhookSecret,
          events: [
            'channel_occupied',
            'channel_vacated',
            'member_added',
            'member_removed',
            'user_online',
            'user_offline',
            'client_event',
          ],
        },
      ],
    },
  ],
});
const broker = await createServer(config);
const countersign = new Countersign({
  appId: app.id,
  key: app.key,
  secret: app.secret,
  host,
  port: broker.port,
  encryptionMasterKeyBase64: randomBytes(32).toString('base64'),
});
const backend = createBackend({
  countersign,
  broker: { key: app.key, host, port: broker.port, forceTLS: false },
  webhookSecret,
  sessionKey: randomBytes(32).toString('hex'),
});
server.on('request', backend);
/** @type {Set<Promise<unknown>>} requests in progress */
const answering = new Set();
server.on('request', (_req, res) => {
  const answered = new Promise((resolve) => res.once('close', resolve));
  answering.add(answered);
  void answered.then(() => answering.delete(answered));
});
console.log(`Chat: ${url} (Ctrl-C ends it)`);

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    server.close();
    // Requests in progress may need the broker: a webhook is published to the staff.
    while (answering.size > 0) await Promise.all(answering);
    server.closeAllConnections();
    await broker.close();
  });
}
