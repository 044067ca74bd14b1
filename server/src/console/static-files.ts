import { fileURLToPath } from 'node:url';
import express, { type RequestHandler, type Router } from 'express';
import { allowConnections } from './security-headers.ts';

const FILES = fileURLToPath(new URL('page/', import.meta.url));
const ANYWHERE = "'self' http: https:";
const ONLY_HERE = "'self'";

/**
 * The files of the console. The auth probe is a page of its own, since only that page may connect to other hosts.
 */
export function staticFiles(): Router {
  const router = express.Router({ strict: true });
  const page =
    (sources: string): RequestHandler =>
    (request, response) => {
      // All other addresses are relative to the folder.
      if (!request.originalUrl.split('?', 1)[0]?.match(/\/(probe)?$/))
        return response.redirect(308, `${request.baseUrl}/`);
      allowConnections(response, sources);
      response.sendFile('index.html', { root: FILES, cacheControl: false });
    };
  router.get('/', page(ONLY_HERE));
  router.get('/probe', page(ANYWHERE));
  router.use('/assets', express.static(`${FILES}assets`, { immutable: true, maxAge: '1y', index: false }));
  return router;
}
