import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import type { App } from '../apps/app.ts';
import { FairTurns } from '../async/fair-turns.ts';
import { ApiError } from '../errors.ts';
import { readPublishPath, splitTarget } from '../http/target.ts';
import { Answers } from './answers.ts';
import type { ApiContext } from './context.ts';
import type { Endpoint } from './endpoint.ts';
import { showAccess } from './endpoints/access.ts';
import { findAuditRecords } from './endpoints/audit.ts';
import { listChannels, listUsers, showChannel } from './endpoints/channels.ts';
import { listEvents, purgeEvents } from './endpoints/history.ts';
import { listKeys } from './endpoints/keys.ts';
import { publish, publishBatch } from './endpoints/publish.ts';
import { recordingEndpoints } from './endpoints/recordings.ts';
import { liftBlock, listRevocations, makeRevocation } from './endpoints/revocations.ts';
import { removeSubscriptions } from './endpoints/subscriptions.ts';
import { listSignedIn, showUser, terminateConnections } from './endpoints/users.ts';
import { webhookEndpoints } from './endpoints/webhooks.ts';
import { Callers } from './requests/callers.ts';
import { RequestQuota } from './requests/request-quota.ts';
import { Service } from './service.ts';

/** All requests of the HTTP API. */
export const API_ENDPOINTS: readonly Endpoint[] = [
  publish,
  publishBatch,
  listChannels,
  showChannel,
  listUsers,
  listEvents,
  purgeEvents,
  listKeys,
  removeSubscriptions,
  makeRevocation,
  listRevocations,
  liftBlock,
  showAccess,
  listSignedIn,
  showUser,
  terminateConnections,
  ...webhookEndpoints,
  findAuditRecords,
  ...recordingEndpoints,
];
/** The path of the WebSocket that publishes, below that of its app. */
export const PUBLISH_SOCKET = 'publish';
const PUBLISHING: ReadonlyMap<string, Endpoint> = new Map(
  API_ENDPOINTS.filter(({ publishes }) => publishes).map((endpoint) => [endpoint.path, endpoint]),
);

/** The HTTP API of the broker (docs/http-api.md). */
export class Api {
  readonly callers: Callers;
  readonly quota: RequestQuota;
  readonly answers: Answers;
  readonly turns = new FairTurns<App>();
  readonly #context: ApiContext;
  readonly #service: Service;
  readonly #express: Express;
  /** The path in front of the app id. */
  readonly #base: string;

  constructor(context: ApiContext) {
    this.#context = context;
    this.answers = new Answers(context.log, context.isDraining, context.now);
    this.callers = new Callers(context);
    this.quota = new RequestQuota(context.adapter.counters, context.monotonic);
    this.#service = new Service(context, this);
    this.#base = `${context.config.pathPrefix}/apps/`;
    this.#express = this.#route();
  }

  /** Answers every request of the HTTP server. Publishing bypasses express, which costs more than all the rest. */
  readonly handle: RequestListener = (request, response) => {
    const app = this.callers.provenOn(request.socket);
    // To read a request costs as much as to do what it asks for.
    if (app) void this.turns.run(app, () => this.#handle(request, response));
    else this.#handle(request, response);
  };

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const named =
      request.method === 'POST' && readPublishPath(splitTarget(request.url ?? '').path, this.#base);
    const endpoint = named && PUBLISHING.get(named.name);
    if (!endpoint) {
      this.answers.begin(response);
      return void this.#express(request, response);
    }
    void this.#service.serve(request, response, endpoint, { appId: named.appId, subject: '' });
  }

  /** Resolves when no request of an app is in progress; by then the HTTP server must accept no new ones. */
  close(): Promise<void> {
    return this.#service.close();
  }

  #route(): Express {
    const { apps, config, ready, routes, webhookKeys } = this.#context;
    const app = express();
    app.disable('x-powered-by').set('query parser', false);
    app.enable('strict routing').enable('case sensitive routing');
    for (const endpoint of API_ENDPOINTS) {
      const serve = (request: Request, response: Response) => {
        const { appId, subject = '' } = request.params;
        return this.#service.serve(request, response, endpoint, {
          appId: String(appId),
          subject: String(subject),
        });
      };
      const path = `${this.#base}:appId/${endpoint.path}`;
      if (endpoint.method === 'GET') app.get(path, serve);
      else if (endpoint.method === 'POST') app.post(path, serve);
      else app.delete(path, serve);
    }
    for (const path of new Set(API_ENDPOINTS.map((endpoint) => endpoint.path))) {
      const methods = API_ENDPOINTS.filter((endpoint) => endpoint.path === path).map(({ method }) => method);
      app.all(`${this.#base}:appId/${path}`, allowOnly(methods.join(', ').replace('GET', 'GET, HEAD')));
    }
    // Unsigned: a receiver that may read it knows no secret of the app.
    app
      .route(`${this.#base}:appId/webhooks/keys`)
      .get((request, response) => {
        const { appId } = request.params;
        if (!apps.byId(appId))
          throw new ApiError(404, 'app_not_found', `No app has the id "${appId.slice(0, 64)}"`);
        this.answers.send(request, response, 200, { keys: webhookKeys });
      })
      .all(allowOnly('GET, HEAD'));
    app.get(`${config.pathPrefix}/health`, (request, response) =>
      this.answers.send(request, response, 200, { status: 'ok' }),
    );
    app.get(`${config.pathPrefix}/ready`, (request, response) => {
      const { status, body } = ready();
      this.answers.send(request, response, status, body);
    });
    app.all([`${config.pathPrefix}/health`, `${config.pathPrefix}/ready`], allowOnly('GET, HEAD'));
    routes?.(app);
    app.all(`${config.pathPrefix}/app/:key`, askForUpgrade);
    app.route(`${this.#base}:appId/${PUBLISH_SOCKET}`).get(askForUpgrade).all(allowOnly('GET'));
    app.use(({ path }: Request) => {
      throw new ApiError(
        404,
        'path_not_found',
        `Nothing is at "${path.slice(0, 200)}": docs/http-api.md has the paths`,
      );
    });
    app.use((error: unknown, request: Request, response: Response, _next: NextFunction) => {
      this.answers.refuse(request, response, error);
    });
    return app;
  }
}

/** A client asks for a WebSocket here, so something between it and the broker has removed the headers. */
function askForUpgrade(): never {
  throw new ApiError(
    426,
    'upgrade_required',
    'This path takes WebSockets only, and the request has no "Upgrade: websocket". Behind a proxy, check that it speaks HTTP/1.1 to the broker and passes on the headers Upgrade and Connection',
    { Upgrade: 'websocket', Connection: 'Upgrade' },
  );
}

function allowOnly(methods: string) {
  return ({ method }: Request): never => {
    throw new ApiError(
      405,
      'method_not_allowed',
      `This path cannot be asked with ${method}: use ${methods}`,
      { Allow: methods },
    );
  };
}
