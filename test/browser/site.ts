import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { authRouter } from '@countersign/sdk-server/express';
import type { Broker } from '@countersign/server';
import cookieSession from 'cookie-session';
import express, { type Express } from 'express';
import { build } from 'vite';
import { onTestFinished } from 'vitest';
import { countersignFor } from '../helpers/brokers/backend.ts';

/** How a page can load the SDK. */
export type Artefact = 'esm' | 'script' | 'vite' | 'react';

const PAGE = join(import.meta.dirname, 'page');
const SDK = dirname(fileURLToPath(import.meta.resolve('@countersign/sdk-client/countersign.min.js')));
const IMPORTS = JSON.stringify({
  imports: {
    '@countersign/sdk-client': '/sdk/index.js',
    '@countersign/sdk-client/encrypted': '/sdk/encrypted.js',
  },
});
// An import map must stand in the page, so the policy names this one by its hash.
const IMPORTS_HASH = createHash('sha256').update(IMPORTS).digest('base64');
const SCRIPTS = {
  esm: `<script type="importmap">${IMPORTS}</script><script type="module" src="/page/app.js"></script>`,
  script: ['/sdk/countersign-encrypted.min.js', '/page/probe.js', '/page/script.js']
    .map((src) => `<script src="${src}"></script>`)
    .join(''),
};

/** Where the page of each is. */
export const PATHS: Readonly<Record<Artefact, string>> = {
  esm: '/esm',
  script: '/script',
  vite: '/vite/',
  react: '/vite/react.html',
};

/** A customer's backend and its pages. */
export interface Site {
  readonly url: string;
  /** How many requests for authorization came. */
  readonly asked: number;
}

/**
 * Serves a page for each artefact, under a policy without eval and inline scripts; an
 * auth endpoint that knows users by the cookie of `/login?user=`; and `/away`, an empty page.
 */
export async function startSite(broker: Broker): Promise<Site> {
  const backend = await startBackend(broker);
  const built = await builtByVite();
  const { app } = backend;
  app.use((_req, res, next) => {
    res.set('Content-Security-Policy', policy);
    next();
  });
  app.use('/sdk', express.static(SDK));
  app.use('/page', express.static(PAGE));
  app.use('/vite', express.static(built));
  for (const [artefact, scripts] of Object.entries(SCRIPTS))
    app.get(`/${artefact}`, (_req, res) => res.send(`<!doctype html><title>${artefact}</title>${scripts}`));
  app.get('/away', (_req, res) => res.send('<!doctype html><title>away</title>'));
  return backend;
}

const policy = [
  "default-src 'none'",
  `script-src 'self' 'sha256-${IMPORTS_HASH}'`,
  'connect-src http://127.0.0.1:* ws://127.0.0.1:*',
  "require-trusted-types-for 'script'",
].join('; ');

/** Another origin with an auth endpoint alone, which lets the pages of one site in. */
export async function startAuthOrigin(broker: Broker, allowed: string): Promise<Site> {
  return startBackend(broker, [allowed]);
}

async function startBackend(
  broker: Broker,
  origins?: readonly string[],
): Promise<Site & { readonly app: Express }> {
  let asked = 0;
  const app = express();
  app.use(cookieSession({ secret: 'secret of the sessions' }));
  app.get('/login', (req, res) => {
    req.session = { user: req.query['user'] };
    res.send('<!doctype html><title>hello</title>');
  });
  app.use(
    '/countersign',
    ({ method }, _res, next) => {
      if (method === 'POST') asked++;
      next();
    },
    authRouter(countersignFor(broker), {
      user: ({ session }) =>
        session?.['user'] ? { id: session['user'], info: { name: session['user'] } } : null,
      canAccess: (_user, channel) => !channel.includes('forbidden'),
      rateLimit: false,
      origins,
      logger: { info() {}, warn() {}, error() {} },
    }),
  );
  const server = app.listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject));
  return {
    app,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get asked() {
      return asked;
    },
  };
}

let vite: Promise<string> | undefined;

/** The folder of the app as Vite builds it, once for all tests of a file. */
function builtByVite(): Promise<string> {
  vite ??= (async () => {
    const outDir = await mkdtemp(join(tmpdir(), 'countersign-vite-'));
    process.once('exit', () => rmSync(outDir, { recursive: true, force: true }));
    const input = ['index.html', 'react.html'].map((page) => join(PAGE, page));
    await build({
      root: PAGE,
      base: '/vite/',
      logLevel: 'error',
      build: { outDir, emptyOutDir: true, rolldownOptions: { input } },
    });
    return outDir;
  })();
  return vite;
}
