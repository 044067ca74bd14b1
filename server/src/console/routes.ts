import { isSocketId } from '@countersign/sdk-server/signature';
import express, { type RequestHandler, type Router } from 'express';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Adapter } from '../adapter/adapter.ts';
import { RANGE_NAMES } from '../adapter/figure-ranges.ts';
import { Accepted, type Call, type Endpoint } from '../api/endpoint.ts';
import { showAccess } from '../api/endpoints/access.ts';
import { findAuditRecords } from '../api/endpoints/audit.ts';
import { publish } from '../api/endpoints/publish.ts';
import { recordingEndpoints } from '../api/endpoints/recordings.ts';
import { liftBlock, listRevocations, makeRevocation } from '../api/endpoints/revocations.ts';
import { listSignedIn, showUser } from '../api/endpoints/users.ts';
import { namedHook, webhookEndpoints } from '../api/endpoints/webhooks.ts';
import { refuseDisabled } from '../api/requests/callers.ts';
import { RequestQuota } from '../api/requests/request-quota.ts';
import { ApiError } from '../errors.ts';
import { parseBody, readBody } from '../http/body.ts';
import { check } from '../http/check.ts';
import { readQuery } from '../http/query.ts';
import { splitTarget } from '../http/target.ts';
import type { Hub } from '../hub/hub.ts';
import { increment, type Metrics, reached } from '../metrics.ts';
import { listChannels, showChannel } from './channels.ts';
import { curlLine } from './curl.ts';
import { diagnose } from './diagnosis/diagnosis.ts';
import { showHistory } from './history.ts';
import type { LiveObservers } from './live/app-observers.ts';
import { authorize, type LiveApps } from './live/live-apps.ts';
import { sessionView } from './session-view.ts';
import type { Session, Sessions } from './sessions.ts';

export interface ConsoleApiParts {
  readonly liveApps: LiveApps;
  readonly sessions: Sessions;
  readonly signIn: readonly RequestHandler[];
  readonly observers: LiveObservers;
  readonly hub: Hub;
  readonly adapter: Adapter;
  readonly webhooks: Call['webhooks'];
  readonly audit: Call['audit'];
  readonly metrics: Metrics;
  readonly quotas: Call['quotas'];
  readonly log: Logger;
  readonly pathPrefix: string;
  readonly now: () => number;
  readonly monotonic: () => number;
}

/** What the pages ask of the HTTP API. */
const endpoints: readonly Endpoint[] = [
  publish,
  ...webhookEndpoints,
  listSignedIn,
  showUser,
  showAccess,
  makeRevocation,
  listRevocations,
  liftBlock,
  findAuditRecords,
  ...recordingEndpoints,
];

/** One request of a user who has signed in. */
interface SessionRequest {
  readonly session: Session;
  readonly body: Buffer;
  readonly query: URLSearchParams;
}

const watchSchema = z.object({
  channel: z.string().max(1000).optional(),
  socketId: z.string().refine(isSocketId, 'a socket id').optional(),
  range: z.enum(RANGE_NAMES).optional(),
});
const curlSchema = z.object({ origin: z.url({ protocol: /^https?$/ }), body: z.string() });
const proofSchema = z.object({
  socketId: z.string().refine(isSocketId, 'a socket id'),
  channel: z.string().max(1000),
  auth: z.unknown(),
  channelData: z.string().optional(),
});

/** The requests of the pages, each for the app of its session. */
export function consoleApi(parts: ConsoleApiParts): Router {
  const {
    liveApps,
    sessions,
    observers,
    hub,
    adapter,
    webhooks,
    audit,
    metrics,
    quotas,
    log,
    pathPrefix,
    now,
    monotonic,
  } = parts;
  const router = express.Router({ strict: true });

  const view = (session: Session) => sessionView(session, liveApps.of(session.app), !sessions.open);
  const signedIn =
    (answer: (request: SessionRequest) => unknown): RequestHandler =>
    async (request, response) => {
      if (!sessions.claimed(request)) throw notSignedIn();
      const { rawQuery } = splitTarget(request.url);
      const body = await readBody(request);
      const session = await sessions.read(request);
      if (!session) throw notSignedIn();
      refuseDisabled(session.app);
      sessions.keep(request, response, session);
      response.json((await answer({ session, body, query: new URLSearchParams(rawQuery) })) ?? {});
    };
  // A request that the HTTP API also offers counts as one of its requests.
  const quota = new RequestQuota(adapter.counters, monotonic);
  const limited =
    (answer: (request: SessionRequest) => unknown): RequestHandler =>
    (request, response, next) =>
      signedIn(async (signed) => {
        await quota.admit(signed.session.app);
        return answer(signed);
      })(request, response, next);

  router.get(
    '/session',
    signedIn(({ session }) => view(session)),
  );
  router.post('/session', ...parts.signIn, (request, response) => {
    const session: Session = response.locals['session'];
    sessions.keep(request, response, session);
    response.json(view(session));
  });
  router.delete('/session', async (request, response) => {
    await sessions.end(request, response);
    response.json({});
  });
  // The auth endpoint of the live data, as the client SDK calls it.
  router.post(
    '/live',
    signedIn(({ session, body }) => {
      const form = new URLSearchParams(body.toString());
      const live = liveApps.of(session.app);
      const socketId = form.get('socket_id');
      if (form.get('channel_name') !== live.channel.name || !isSocketId(socketId))
        throw new ApiError(403, 'session_for_another_channel', 'This session is for another channel');
      return authorize(live, socketId, session.id);
    }),
  );
  router.post(
    '/watch',
    signedIn(async ({ session, body }) => {
      const { channel, socketId, range } = check(watchSchema, parseBody(body));
      await adapter.bus.command({ kind: 'watch', appId: session.app.id, channel, socketId, range });
    }),
  );
  router.get(
    '/channels',
    limited(({ session, query }) => {
      const [prefix, contains] = [query.get('prefix') ?? '', query.get('contains') ?? ''];
      return listChannels(adapter, session.app, { prefix, contains });
    }),
  );
  router.get(
    '/channel',
    limited(({ session, query }) => showChannel(adapter, session.app, query.get('name') ?? '')),
  );
  router.get(
    '/history',
    limited(({ session, query }) => showHistory(adapter, session.app, query.get('name') ?? '')),
  );
  router.get(
    '/webhook-health',
    limited(({ session: { app }, query }) => webhooks.health(namedHook(app, query.get('hook') ?? '').key)),
  );
  router.post(
    '/proof',
    limited(({ session: { app }, body }) => {
      const { socketId, channel, auth, channelData: data = '' } = check(proofSchema, parseBody(body));
      return diagnose(app, { socketId, channel, data }, auth, observers.recentNames(app));
    }),
  );
  router.post(
    '/curl',
    signedIn(({ session, body }) => {
      const request = check(curlSchema, parseBody(body));
      return { line: curlLine(session, { ...request, pathPrefix, now: now() }) };
    }),
  );

  // The endpoints of the HTTP API, with a session in place of a signature.
  const run =
    (endpoint: Endpoint): RequestHandler =>
    (request, response, next) => {
      const subject = String(request.params['subject'] ?? '');
      return signedIn(async ({ session, body }) => {
        const { app } = session;
        const counts = metrics.app(app.id);
        try {
          await quota.admit(app);
          const [query] = readQuery(splitTarget(request.url).rawQuery);
          const key = app.keyOf(session.key);
          if (!key) throw new ApiError(401, 'key_removed', 'The key of the session was removed');
          const result = await endpoint.run({
            app,
            key,
            subject,
            query,
            headers: request.headers,
            traceparent: undefined,
            body,
            hub,
            adapter,
            webhooks,
            audit,
            now,
            checkRight: () => refuseDisabled(app),
            usage: counts.usage,
            quotas,
            reached: (bound) => reached(metrics, log, bound, { appId: app.id }),
          });
          if (endpoint.publishes) increment(counts.publishes, 200);
          return result instanceof Accepted ? result.body : result;
        } catch (error) {
          if (error instanceof ApiError && endpoint.publishes) increment(counts.publishes, error.status);
          if (error instanceof ApiError && error.status === 429) counts.rateLimitHits += 1;
          throw error;
        }
      })(request, response, next);
    };
  for (const endpoint of endpoints) {
    const path = `/${endpoint.path}`;
    if (endpoint.method === 'GET') router.get(path, run(endpoint));
    else if (endpoint.method === 'DELETE') router.delete(path, run(endpoint));
    else router.post(path, run(endpoint));
  }
  return router;
}

function notSignedIn(): ApiError {
  return new ApiError(401, 'console_sign_in_required', 'Sign in with the key and secret of an app');
}
