import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isSocketId } from '@countersign/sdk-server';
import { authRouter } from '@countersign/sdk-server/express';
import cookieSession from 'cookie-session';
import express from 'express';
import { canAccess, rooms, WEBHOOKS } from './rooms.js';
import { Sessions } from './sessions.js';
import { receiveWebhooks } from './webhooks.js';

const PAGE = fileURLToPath(new URL('page', import.meta.url));
const CLIENT_SDK = dirname(fileURLToPath(import.meta.resolve('@countersign/sdk-client')));
const NAME = /^[A-Za-z0-9_-]{1,32}$/;
const TEXT_LENGTH = 1000;

/**
 * The app: sessions, access, publishing and webhooks.
 *
 * @param {object} parts
 * @param {import('@countersign/sdk-server').Countersign} parts.countersign
 * @param {{ key: string, host: string, port: number, forceTLS: boolean }} parts.broker address of the broker for the page
 * @param {string} parts.webhookSecret verifies webhooks
 * @param {string} parts.sessionKey signs the session cookie
 */
export function createBackend({ countersign, broker, webhookSecret, sessionKey }) {
  const sessions = new Sessions();
  const webhooks = receiveWebhooks(countersign, webhookSecret);
  const app = express();
  app.disable('x-powered-by');
  app.use(securityHeaders(`${broker.forceTLS ? 'wss' : 'ws'}://${broker.host}:${broker.port}`));
  app.use('/sdk', express.static(CLIENT_SDK));
  app.use('/page', express.static(PAGE));
  // SameSite keeps other sites from posting as our users. Behind TLS, add `secure: true`.
  app.use(cookieSession({ name: 'chat', keys: [sessionKey], sameSite: 'lax', maxAge: 86_400_000 }));

  // What the client SDK asks before it joins a private or presence channel, and when it signs in.
  app.use('/countersign', authRouter(countersign, { user: sessions.userOf, canAccess }));
  // What the broker tells. It proves itself by its signature, and needs no session.
  app.use('/webhooks', webhooks.router);

  app.get('/', (req, res) => {
    res
      .set('Cache-Control', 'no-store')
      .sendFile(sessions.userOf(req) ? 'chat.html' : 'login.html', { root: PAGE });
  });

  // A real app asks for more than a name.
  app.post('/login', express.urlencoded(), (req, res) => {
    const name = req.body?.name;
    if (typeof name !== 'string' || !NAME.test(name)) {
      res.status(400).json({ error: 'A name has 1 to 32 letters, digits, "_" or "-"' });
      return;
    }
    sessions.begin(req, { id: name.toLowerCase(), info: { name } });
    res.redirect(303, '/');
  });

  app.post('/logout', async (req, res) => {
    const user = sessions.userOf(req);
    sessions.end(req);
    // Grants live as long as the connection that they were given to. Devices whose sessions go on connect again.
    if (user) await countersign.terminateUserConnections(user.id, { reason: 'Logged out' });
    res.redirect(303, '/');
  });

  app.post('/sign-out-everywhere', async (req, res) => {
    const user = sessions.userOf(req);
    sessions.end(req);
    if (user) {
      // The sessions first: otherwise a device could come back before its session ends.
      sessions.endAll(user.id);
      await countersign.terminateUserConnections(user.id, { reason: 'Signed out everywhere' });
    }
    res.redirect(303, '/');
  });

  // All that follows is for users.
  app.use((req, res, next) => {
    const user = sessions.userOf(req);
    if (!user) {
      res.status(401).json({ error: 'Log in first' });
      return;
    }
    res.locals['user'] = user;
    res.set('Cache-Control', 'no-store');
    next();
  });

  app.get('/session', async (req, res) => {
    const { user } = res.locals;
    const open = [];
    for (const room of rooms) if (await canAccess(user, room.channel, req)) open.push(room);
    res.json({ user, broker, rooms: open, seesWebhooks: await canAccess(user, WEBHOOKS, req) });
  });

  app.get('/devices', async (req, res) => {
    const { connections } = await countersign.user(res.locals['user'].id);
    const devices = connections.map(({ socket_id, age_seconds, client, address }) => ({
      client,
      address,
      since: new Date(Date.now() - age_seconds * 1000),
      isThisOne: socket_id === req.query['socketId'],
    }));
    res.json(devices);
  });

  app.get('/webhooks', async (req, res) => {
    if (await canAccess(res.locals['user'], WEBHOOKS, req)) res.json(webhooks.latest());
    else res.status(403).json({ error: 'Webhooks are for the staff' });
  });

  app.post('/messages', express.json({ limit: '16kb' }), async (req, res) => {
    const { user } = res.locals;
    const { room: id, text, socketId } = req.body ?? {};
    const room = rooms.find((candidate) => candidate.id === id);
    if (!room || !(await canAccess(user, room.channel, req))) {
      res.status(403).json({ error: 'This room is not open to you' });
      return;
    }
    if (typeof text !== 'string' || text.trim() === '' || text.length > TEXT_LENGTH) {
      res.status(400).json({ error: `A message has 1 to ${TEXT_LENGTH} characters` });
      return;
    }
    if (socketId !== undefined && !isSocketId(socketId)) {
      res.status(400).json({ error: 'socketId is the id of your connection' });
      return;
    }
    const message = { from: user.info.name, text: text.trim(), at: new Date().toISOString() };
    // The page that sent it shows it already.
    await countersign.trigger(room.channel, 'message', message, { socketId });
    res.status(201).json(message);
  });

  app.use(answerFailure);
  return app;
}

/**
 * @param {string} brokerOrigin the only other server that the page may talk to
 * @returns {express.RequestHandler}
 */
function securityHeaders(brokerOrigin) {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    'img-src data:',
    `connect-src 'self' ${brokerOrigin}`,
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  return (_req, res, next) => {
    res.set({
      'Content-Security-Policy': policy,
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'same-origin',
    });
    next();
  };
}

/** @type {express.ErrorRequestHandler} */
function answerFailure(error, _req, res, _next) {
  // Express marks what its own parsers refuse; everything else is ours to repair, not the reader's to know.
  if (error.expose) {
    res.status(error.status).json({ error: error.message });
    return;
  }
  console.error(error);
  res.status(500).json({ error: 'Something went wrong' });
}
