/** The backends of “break it”: each makes one ordinary mistake, so that one sees what is said about it. */
import { randomBytes } from 'node:crypto';
import { CountersignError } from '@countersign/sdk-server';
import type { Express, RequestHandler, Router } from 'express';
import type { DevApp } from './app.ts';
import { countersignAt } from './countersign-at.ts';

/** Milliseconds by which the clock of the backend with the wrong clock is behind. */
const BEHIND_MS = 20 * 60_000;

/**
 * Adds an auth endpoint that signs with another secret, and a publish whose clock is behind. The third mistake needs
 * no backend of its own: it is the page's endpoint, asked under the other name of this machine.
 */
export function addBroken(app: Express, credentials: DevApp, authAs: (credentials: DevApp) => Router): void {
  app.use('/dev/broken/secret', authAs({ ...credentials, secret: randomBytes(32).toString('hex') }));
  app.post('/dev/broken/clock', publishLate(credentials));
}

function publishLate(credentials: DevApp): RequestHandler {
  return async (request, response) => {
    const now = Date.now() - BEHIND_MS;
    const countersign = countersignAt(credentials, request.socket.localPort, { now: () => now });
    try {
      await countersign.trigger('news', 'hello', { text: 'from the past' });
      response.json({ error: null });
    } catch (error) {
      if (!(error instanceof CountersignError)) throw error;
      response.json({ error: error.message });
    }
  };
}
