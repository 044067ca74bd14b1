import type { AddressInfo } from 'node:net';
import { Countersign, type CountersignOptions } from '@countersign/sdk-server';
import { authRouter } from '@countersign/sdk-server/express';
import type { Broker } from '@countersign/server';
import express, { type Express } from 'express';
import PusherServer from 'pusher';
import { onTestFinished } from 'vitest';
import { MASTER_KEY } from '../../packages/vectors.ts';
import { APP } from './server.ts';

/** Where a broker listens. */
type Place = Pick<Broker, 'host' | 'port'>;

/** Our server SDK for the app of the tests. */
export function countersignFor(broker: Place, options: Partial<CountersignOptions> = {}): Countersign {
  return new Countersign({
    appId: APP.id,
    key: APP.key,
    secret: APP.secret,
    host: broker.host,
    port: broker.port,
    encryptionMasterKeyBase64: MASTER_KEY,
    ...options,
  });
}

/** The official server library for the app of the tests. */
export function pusherFor(broker: Place, options: { readonly secret?: string } = {}): PusherServer {
  return new PusherServer({
    appId: APP.id,
    key: APP.key,
    secret: APP.secret,
    host: broker.host,
    port: String(broker.port),
    useTLS: false,
    encryptionMasterKeyBase64: MASTER_KEY,
    ...options,
  });
}

/** Serves what a test mounts on a free port, until it ends; answers the URL. */
export async function startBackend(mount: (app: Express) => void): Promise<string> {
  const app = express();
  mount(app);
  const server = app.listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/**
 * A backend that believes the header `x-user`, and lets everybody into every channel whose name does not say
 * `forbidden`. It answers at `/auth` and `/user-auth`.
 */
export type BackendOf = (broker: Place, options?: { readonly secret?: string }) => Promise<string>;

const infoOf = (user: string) => ({ name: user.toUpperCase() });

/** The backend as customers write it with the official library. */
export const officialBackend: BackendOf = (broker, options) => {
  const pusher = pusherFor(broker, options);
  return startBackend((app) => {
    app.use(express.urlencoded());
    app.post('/auth', (req, res) => {
      const user = req.get('x-user');
      const channel = String(req.body.channel_name);
      if (!user || channel.includes('forbidden')) return res.status(403).send('Forbidden');
      const member = channel.startsWith('presence-') ? { user_id: user, user_info: infoOf(user) } : undefined;
      return res.send(pusher.authorizeChannel(req.body.socket_id, channel, member));
    });
    app.post('/user-auth', (req, res) => {
      const user = req.get('x-user');
      if (!user) return res.status(403).send('Forbidden');
      return res.send(pusher.authenticateUser(req.body.socket_id, { id: user, user_info: infoOf(user) }));
    });
  });
};

/** The backend as customers write it with our router. */
export const ourBackend: BackendOf = (broker, options) =>
  startBackend((app) => {
    const router = authRouter(countersignFor(broker, options), {
      user: (req) => {
        const id = req.get('x-user');
        return id ? { id, info: infoOf(id) } : null;
      },
      canAccess: (_user, channel) => !channel.includes('forbidden'),
      logger: { info() {}, warn() {}, error() {} },
    });
    app.use(router);
  });

/** A backend that lets everybody in as `zoe`, and leaves it to her sign-in to tell who is in a presence channel. */
export const backendWithoutMembers: BackendOf = (broker) => {
  const pusher = pusherFor(broker);
  return startBackend((app) => {
    app.use(express.urlencoded());
    app.post('/auth', (req, res) => {
      res.send(pusher.authorizeChannel(req.body.socket_id, req.body.channel_name));
    });
    app.post('/user-auth', (req, res) => {
      res.send(pusher.authenticateUser(req.body.socket_id, { id: 'zoe', user_info: { name: 'Zoë' } }));
    });
  });
};
