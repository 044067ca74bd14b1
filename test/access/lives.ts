/** Pages of stock pusher-js that live longer than their grants and sign-ins, because the backend renews them. */
import { authRouter } from '@countersign/sdk-server/express';
import { expect } from 'vitest';
import { countersignFor, startBackend } from '../helpers/brokers/backend.ts';
import { RENEWAL_SECRET, renewing } from '../helpers/brokers/renewing-backend.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { listen, listenToAll } from '../helpers/clients/event-inbox.ts';
import { connectPusher } from '../helpers/clients/official.ts';

/** Each page keeps its socket, its channels and its sign-in through so many grants of two seconds, and is told nothing of them. */
export async function livesOf({
  pages,
  grants: count,
  withinMs,
}: {
  readonly pages: number;
  /** How many grants each channel gets. */
  readonly grants: number;
  readonly withinMs: number;
}): Promise<void> {
  /** How often each channel of each page was granted. */
  const grants = new Map<string, number>();
  const backend = await startBackend((app) => {
    // The broker is not there yet, and its address is in no signature.
    const router = authRouter(countersignFor({ host: '127.0.0.1', port: 1 }), {
      user: (req) => ({ id: String(req.get('x-user')), info: {} }),
      userById: (id) => ({ id, info: {} }),
      canAccess: (_user, channel) => {
        grants.set(channel, (grants.get(channel) ?? 0) + 1);
        return true;
      },
      grantSeconds: 2,
      signInSeconds: 2,
      rateLimit: false,
      renewalSecret: RENEWAL_SECRET,
      logger: { info() {}, warn() {}, error() {} },
    });
    app.use('/countersign', router);
  });
  const url = `${backend}/countersign`;
  // A machine that stands still for a second takes nothing from anybody.
  const broker = await startServer({ app: renewing(`${url}/renew`, { graceSeconds: 60 }) });
  const open = async (_: unknown, page: number) => {
    const user = `user-${page}`;
    const client = await connectPusher(broker, { backend: url, user });
    const socketId = client.connection.socket_id;
    const names = ['private', 'presence', 'private-encrypted'].map((kind) => `${kind}-${user}`);
    await Promise.all(
      names.map((name) => listen(client.subscribe(name), 'pusher:subscription_succeeded').next()),
    );
    const signedIn = listen(client, 'pusher:signin_success');
    client.signin();
    await signedIn.next();
    const channels = names.map((name) => [name, listenToAll(client.channel(name))] as const);
    return { user, client, socketId, channels };
  };
  const opened = await Promise.all(Array.from({ length: pages }, open));
  await expect
    .poll(() => Math.min(...grants.values()), { timeout: withinMs, interval: 100 })
    .toBeGreaterThan(count);
  expect(grants.size).toBe(3 * pages);
  for (const { user, client, socketId, channels } of opened) {
    for (const [name, events] of channels) {
      await countersignFor(broker).trigger(name, 'news', { user });
      expect(await events.next()).toEqual(['news', { user }]);
    }
    const notice = listen(client.user, 'notice');
    await countersignFor(broker).sendToUser(user, 'notice', {});
    await notice.next();
    expect(client.connection.socket_id).toBe(socketId);
  }
}
