import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isSocketId } from '@countersign/sdk-server';
import { authRouter } from '@countersign/sdk-server/express';
import cookieSession from 'cookie-session';
import express from 'express';
import { canAccess, rooms } from './rooms.js';

const PAGE = fileURLToPath(new URL('page', import.meta.url));
const CLIENT_SDK = dirname(fileURLToPath(import.meta.resolve('@countersign/sdk-client')));
const NAME = /^[A-Za-z0-9_-]{1,32}$/;
const TEXT_LENGTH = 1000;

/**
 * The app: who is who, who may what, and what is published.
 *
 * @param {object} parts
 * @param {import('@countersign/sdk-server').Countersign} parts.countersign
 * @param {{ key: string, host: string, port: number, forceTLS: boolean }} parts.broker where the page finds the broker
 * @param {string} parts.sessionKey signs the session cookie
 */
export function createBackend({ countersign, broker, sessionKey }) {
  const app = express();
  app.disable('x-powered-by');
  app.use(securityHeaders(`${broker.forceTLS ? 'wss' : 'ws'}://${broker.host}:${broker.port}`));
  app.use('/sdk', express.static(CLIENT_SDK));
  app.use('/page', express.static(PAGE));
  // SameSite keeps other sites from posting as our users. Behind TLS, add `secure: true`.
  app.use(cookieSession({ name: 'chat', keys: [sessionKey], sameSite: 'lax', maxAge: 86_400_000 }));

  // What the client SDK asks before it joins a private or presence channel, and when it signs in.
  app.use('/countersign', authRouter(countersign, { user: userOf, canAccess }));

  app.get('/', (req, res) => {
    res.set('Cache-Control', 'no-store').sendFile(userOf(req) ? 'chat.html' : 'login.html', { root: PAGE });
  });

  // A real app asks for more than a name.
  app.post('/login', express.urlencoded(), (req, res) => {
    const name = req.body?.name;
    if (typeof name !== 'string' || !NAME.test(name)) {
      res.status(400).json({ error: 'A name has 1 to 32 letters, digits, "_" or "-"' });
      return;
    }
    req.session = { user: { id: name.toLowerCase(), info: { name } } };
    res.redirect(303, '/');
  });

  app.post('/logout', async (req, res) => {
    const user = userOf(req);
    req.session = null;
    // Grants live as long as the connection that they were given to.
    if (user) await countersign.terminateUserConnections(user.id);
    res.redirect(303, '/');
  });

  app.get('/session', (req, res) => {
    const user = userOf(req);
    if (!user) {
      res.status(401).json({ error: 'Log in first' });
      return;
    }
    const open = rooms.filter((room) => room.admits(user));
    res.json({ user, broker, rooms: open.map(({ id, title, channel }) => ({ id, title, channel })) });
  });

  app.post('/messages', express.json({ limit: '16kb' }), async (req, res) => {
    const user = userOf(req);
    if (!user) {
      res.status(401).json({ error: 'Log in first' });
      return;
    }
    const { room: id, text, socketId } = req.body ?? {};
    const room = rooms.find((candidate) => candidate.id === id);
    if (!room?.admits(user)) {
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
 * The user whom the session names.
 *
 * @param {express.Request} req
 * @returns {import('./rooms.js').User | undefined}
 */
function userOf(req) {
  return req.session?.['user'];
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
