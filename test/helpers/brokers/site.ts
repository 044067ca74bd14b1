import type { Countersign as Client, SubscriptionError } from '@countersign/sdk-client';
import type { Countersign } from '@countersign/sdk-server';
import type { Broker } from '@countersign/server';
import type { Express } from 'express';
import { onTestFinished } from 'vitest';
import { nextEvent } from '../clients/client-start.ts';
import { countersignFor, startBackend } from './backend.ts';
import { type ServerSettings, startServer } from './server.ts';

/** A customer's site, and the broker that it publishes through. */
export interface Site {
  readonly broker: Broker;
  readonly countersign: Countersign;
  readonly url: string;
  /** The paths that were asked for, in order. */
  readonly requests: readonly string[];
}

export async function startSite(
  createBackend: (countersign: Countersign) => Express,
  settings: ServerSettings = {},
): Promise<Site> {
  const broker = await startServer(settings);
  const countersign = countersignFor(broker);
  const requests: string[] = [];
  const url = await startBackend((app) => {
    app.use((req, _res, next) => {
      requests.push(req.path);
      next();
    });
    app.use(createBackend(countersign));
  });
  return { broker, countersign, url, requests };
}

/** What a browser has of one page: `fetch` of the site's own paths, with the site's cookies. */
export function openBrowser(site: Site): typeof fetch {
  let cookie = '';
  return async (path, init) => {
    const headers = new Headers(init?.headers);
    if (cookie) headers.set('cookie', cookie);
    const response = await fetch(new URL(String(path), site.url), { ...init, headers });
    const given = response.headers.getSetCookie().map((line) => line.split(';')[0]);
    if (given.length > 0) cookie = given.join('; ');
    return response;
  };
}

/** What a page tells our client: where the broker is, and how the site is asked. */
export function pageOptions({ broker }: Site, browser: typeof fetch) {
  return { host: broker.host, port: broker.port, forceTLS: false, fetch: browser } as const;
}

/** Posts JSON, and answers the status. */
export async function post(browser: typeof fetch, path: string, body: object = {}): Promise<number> {
  const headers = { 'content-type': 'application/json' };
  const response = await browser(path, { method: 'POST', headers, body: JSON.stringify(body) });
  await response.text();
  return response.status;
}

/** Ends a client with its test. */
export function ending<Given extends Client>(client: Given): Given {
  onTestFinished(() => client.disconnect());
  return client;
}

/** Subscribes, and answers 200 or the status of the refusal. */
export async function join(client: Client, name: string): Promise<number | null | undefined> {
  const channel = client.subscribe(name);
  return Promise.race([
    nextEvent(channel, 'pusher:subscription_succeeded').then(() => 200),
    nextEvent<SubscriptionError>(channel, 'pusher:subscription_error').then(({ status }) => status),
  ]);
}
