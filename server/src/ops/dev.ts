import { fileURLToPath } from 'node:url';
import { Countersign, CountersignError } from '@countersign/sdk-server';
import { authRouter } from '@countersign/sdk-server/express';
import { isUserId } from '@countersign/sdk-server/signature';
import express from 'express';
import { z } from 'zod';
import type { Config, ConfigInput } from '../config.ts';
import { ConfigError } from '../config-error.ts';

/** The app of `countersign dev`. Its secret is public, so it is served on loopback only and refused elsewhere. */
export const DEV_APP = { id: 'dev-app', key: 'dev-key', secret: 'dev-secret' } as const;

/** What `countersign dev` runs with, before environment and flags. */
export const DEV_CONFIG: ConfigInput = {
  apps: [
    {
      id: DEV_APP.id,
      name: 'Development',
      keys: [{ key: DEV_APP.key, secret: DEV_APP.secret }],
      explainRefusals: true,
      subscriptionCount: true,
    },
  ],
  drainWindowSeconds: 0,
  log: { pretty: true },
};

/** @throws ConfigError if `countersign dev` were to be reached from outside, or to serve anything but its own app */
export function refuseOtherThanDev({ host, apps, tls, pathPrefix }: Config): void {
  const problems: string[] = [];
  if (host !== '127.0.0.1') {
    problems.push(`host: got "${host}", expected "127.0.0.1", since everybody knows the development secret`);
  }
  if (apps.some(({ id }) => id !== DEV_APP.id) || tls || pathPrefix) {
    problems.push('apps, tls and pathPrefix belong to countersign start, expected none');
  }
  if (problems.length > 0) throw new ConfigError(undefined, problems);
}

/** @throws ConfigError if an app uses what everybody knows: the development key or secret */
export function refuseDevCredentials(config: Config): void {
  for (const app of config.apps) {
    if (app.keys.some(({ key, secret }) => key === DEV_APP.key || secret === DEV_APP.secret)) {
      throw new ConfigError(undefined, [
        `apps: "${app.id}" uses the credentials of countersign dev, which everybody knows; make your own secret`,
      ]);
    }
  }
}

const PAGE = fileURLToPath(new URL('dev-page/', import.meta.url));
const CLIENT_SDK = fileURLToPath(import.meta.resolve('@countersign/sdk-client/countersign.min.js'));
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  'img-src data:',
  "connect-src 'self' ws://127.0.0.1:* ws://localhost:*",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ');

/** Adds the page at `/`, the auth endpoint that signs for it, and `POST /dev/publish`, which needs no signature. */
export function devRoutes(app: express.Express): void {
  const page: express.Handler = (_request, response, next) => {
    response.set({ 'Content-Security-Policy': CONTENT_SECURITY_POLICY, 'X-Content-Type-Options': 'nosniff' });
    next();
  };
  app.get('/', page, (_request, response) => response.sendFile('index.html', { root: PAGE }));
  app.get('/dev/countersign.min.js', page, (_request, response) => response.sendFile(CLIENT_SDK));
  app.use('/dev', page, express.static(PAGE, { index: false }));
  app.post('/dev/publish', express.json(), publish);
  app.use('/countersign', devAuth());
}

/** Everybody may join everything, under the name that the page made up. */
function devAuth(): express.Router {
  return authRouter(countersignAt(undefined), {
    user: (request) => {
      const id = request.get('X-Dev-User');
      return isUserId(id) ? { id, info: { name: id } } : undefined;
    },
    canAccess: () => true,
  });
}

const publication = z.strictObject({ channel: z.string(), event: z.string(), data: z.unknown() });

const publish: express.RequestHandler = async (request, response) => {
  const body = publication.safeParse(request.body);
  if (!body.success) {
    response.status(400).json({ error: 'Expected a JSON object with "channel", "event" and "data"' });
    return;
  }
  const { channel, event, data } = body.data;
  try {
    await countersignAt(request.socket.localPort).trigger(channel, event, data);
    response.json({});
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error;
    response.status(400).json({ error: error.message });
  }
};

/** The server SDK as a customer would use it. Only when asked is the port known, since port 0 takes a free one. */
function countersignAt(port: number | undefined): Countersign {
  return new Countersign({
    appId: DEV_APP.id,
    key: DEV_APP.key,
    secret: DEV_APP.secret,
    host: '127.0.0.1',
    useTLS: false,
    ...(port !== undefined && { port }),
  });
}
