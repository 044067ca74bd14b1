import { fileURLToPath } from 'node:url';
import { CountersignError } from '@countersign/sdk-server';
import { authRouter } from '@countersign/sdk-server/express';
import { isUserId } from '@countersign/sdk-server/signature';
import express from 'express';
import { z } from 'zod';
import type { DevApp } from './app.ts';
import { addBroken } from './broken.ts';
import { countersignAt } from './countersign-at.ts';
import { snippetsOf } from './snippets.ts';

const PAGE = fileURLToPath(new URL('page/', import.meta.url));
const CLIENT_SDK = fileURLToPath(import.meta.resolve('@countersign/sdk-client/countersign.min.js'));
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  'img-src data:',
  // The page asks this machine under its other name as well, to show what a browser says without CORS.
  "connect-src 'self' ws://127.0.0.1:* ws://localhost:* http://127.0.0.1:* http://localhost:*",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ');

/** Adds the page at `/`, the auth endpoint that signs for it, and `POST /dev/publish`, which needs no signature. */
export function devRoutes(credentials: DevApp): (app: express.Express) => void {
  return (app) => addRoutes(app, credentials);
}

function addRoutes(app: express.Express, credentials: DevApp): void {
  const page: express.Handler = (_request, response, next) => {
    response.set({ 'Content-Security-Policy': CONTENT_SECURITY_POLICY, 'X-Content-Type-Options': 'nosniff' });
    next();
  };
  app.get('/', page, (_request, response) => response.sendFile('index.html', { root: PAGE }));
  app.get('/dev/countersign.min.js', page, (_request, response) => response.sendFile(CLIENT_SDK));
  app.get('/dev/snippets', page, snippets(credentials));
  app.use('/dev', page, express.static(PAGE, { index: false }));
  app.post('/dev/publish', express.json(), publish(credentials));
  app.use('/countersign', devAuth(credentials));
  addBroken(app, credentials, devAuth);
}

/** Code that works as it stands on this machine, for the address that the page was opened by. */
function snippets({ id, key, secret }: DevApp): express.RequestHandler {
  return (request, response) => {
    const { hostname: host, protocol, socket } = request;
    const secure = protocol === 'https';
    const place = { appId: id, key, secret, host, port: socket.localPort ?? 0, secure };
    response.set('Cache-Control', 'no-store').json(snippetsOf(place));
  };
}

/** Everybody may join everything, under the name that the page made up. */
function devAuth(credentials: DevApp): express.Router {
  return authRouter(countersignAt(credentials), {
    // Pages of other clients, which do not renew, may stay open for days.
    grantSeconds: null,
    user: (request) => {
      const id = request.get('X-Dev-User');
      return isUserId(id) ? { id, info: { name: id } } : undefined;
    },
    canAccess: () => true,
  });
}

const publication = z.strictObject({ channel: z.string(), event: z.string(), data: z.unknown() });

function publish(credentials: DevApp): express.RequestHandler {
  return async (request, response) => {
    const body = publication.safeParse(request.body);
    if (!body.success) {
      response.status(400).json({ error: 'Expected a JSON object with "channel", "event" and "data"' });
      return;
    }
    const { channel, event, data } = body.data;
    try {
      await countersignAt(credentials, request.socket.localPort).trigger(channel, event, data);
      response.json({});
    } catch (error) {
      if (!(error instanceof CountersignError)) throw error;
      response.status(400).json({ error: error.message });
    }
  };
}
