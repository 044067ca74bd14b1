import { isSocketId } from '@countersign/sdk-server/signature';
import express, { type RequestHandler, type Router } from 'express';
import { z } from 'zod';
import type { Adapter } from '../../adapter/adapter.ts';
import { parseBody, readBody } from '../../api/body.ts';
import { check } from '../../api/check.ts';
import type { Call, Endpoint } from '../../api/endpoint.ts';
import { publish } from '../../api/publish.ts';
import { readQuery } from '../../api/query.ts';
import { splitTarget } from '../../api/target.ts';
import { webhookEndpoints } from '../../api/webhooks.ts';
import { ApiError } from '../../errors.ts';
import type { Hub } from '../../hub/hub.ts';
import { increment, type Metrics } from '../../hub/metrics.ts';
import { listChannels, showChannel } from './channels.ts';
import { curlLine } from './curl.ts';
import { diagnose } from './diagnosis.ts';
import { ownPagesOnly } from './guard.ts';
import { authorize, type LiveApps } from './live-apps.ts';
import type { Session, Sessions } from './sessions.ts';
import type { Watches } from './watches.ts';

export interface ConsoleApiParts {
  readonly liveApps: LiveApps;
  readonly sessions: Sessions;
  readonly signIn: readonly RequestHandler[];
  readonly watches: Watches;
  readonly hub: Hub;
  readonly adapter: Adapter;
  readonly webhooks: Call['webhooks'];
  readonly metrics: Metrics;
  readonly pathPrefix: string;
  readonly now: () => number;
}

/** One request of somebody who is signed in. */
interface Visit {
  readonly session: Session;
  readonly body: Buffer;
  readonly query: URLSearchParams;
}

const watchSchema = z.object({ channel: z.string().max(1000).optional() });
const curlSchema = z.object({ origin: z.url({ protocol: /^https?$/ }), body: z.string() });
const proofSchema = z.object({
  socketId: z.string().refine(isSocketId, 'a socket id'),
  channel: z.string().max(1000),
  auth: z.unknown(),
  channelData: z.string().optional(),
});

/** What the pages of the console ask, each for the app that its session is for. */
export function consoleApi(parts: ConsoleApiParts): Router {
  const { liveApps, sessions, watches, hub, adapter, metrics, pathPrefix, now } = parts;
  const router = express.Router({ strict: true });
  router.use(ownPagesOnly);

  const describe = ({ app }: Session) => {
    const { key, channel } = liveApps.beside(app);
    return {
      app: { id: app.id, name: app.name, keys: app.keys },
      live: { key, channel: channel.name },
      signOut: !sessions.open,
    };
  };
  const signedIn =
    (answer: (visit: Visit) => unknown): RequestHandler =>
    async (request, response) => {
      const session = sessions.read(request);
      if (!session) throw new ApiError(401, 'Sign in with the key and secret of an app');
      sessions.keep(request, response, session);
      const { rawQuery } = splitTarget(request.url);
      const body = await readBody(request);
      response.json((await answer({ session, body, query: new URLSearchParams(rawQuery) })) ?? {});
    };

  router.get(
    '/session',
    signedIn(({ session }) => describe(session)),
  );
  router.post('/session', ...parts.signIn, (request, response) => {
    const session: Session = response.locals['session'];
    sessions.keep(request, response, session);
    response.json(describe(session));
  });
  router.delete('/session', (request, response) => {
    sessions.end(request, response);
    response.json({});
  });
  // What the client SDK asks, as it would ask the backend of any app.
  router.post(
    '/live',
    signedIn(({ session, body }) => {
      const form = new URLSearchParams(body.toString());
      const live = liveApps.beside(session.app);
      const socketId = form.get('socket_id');
      if (form.get('channel_name') !== live.channel.name || !isSocketId(socketId))
        throw new ApiError(403, 'This session is for another channel');
      return { auth: authorize(live, socketId) };
    }),
  );
  router.post(
    '/watch',
    signedIn(async ({ session, body }) => {
      const { channel } = check(watchSchema, parseBody(body));
      await adapter.bus.command({ kind: 'watch', appId: session.app.id, channel });
    }),
  );
  router.get(
    '/channels',
    signedIn(({ session, query }) => listChannels(adapter, session.app, query.get('prefix') ?? '')),
  );
  router.get(
    '/channel',
    signedIn(({ session, query }) => showChannel(adapter, session.app, query.get('name') ?? '')),
  );
  router.post(
    '/proof',
    signedIn(({ session: { app }, body }) => {
      const { socketId, channel, auth, channelData: data = '' } = check(proofSchema, parseBody(body));
      return diagnose(app, { socketId, channel, data }, auth, watches.surroundings(app));
    }),
  );
  router.post(
    '/curl',
    signedIn(({ session, body }) => {
      const request = check(curlSchema, parseBody(body));
      return { line: curlLine(session, { ...request, pathPrefix, now: now() }) };
    }),
  );

  // What the HTTP API does for a signature, it does here for a session.
  const run =
    (endpoint: Endpoint): RequestHandler =>
    async (request, response, next) => {
      const subject = String(request.params['subject'] ?? '');
      const answer = signedIn(async ({ session: { app }, body }) => {
        const [query] = readQuery(splitTarget(request.url).rawQuery);
        const { webhooks } = parts;
        const result = await endpoint.run({ app, subject, query, body, hub, adapter, webhooks, now });
        if (endpoint.publishes) increment(metrics.app(app.id).publishes, 200);
        return result;
      });
      await answer(request, response, next);
    };
  for (const endpoint of [publish, ...webhookEndpoints]) {
    const path = `/${endpoint.path}`;
    if (endpoint.method === 'GET') router.get(path, run(endpoint));
    else router.post(path, run(endpoint));
  }
  return router;
}
