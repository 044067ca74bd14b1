import type { Broker } from '@countersign/server';
import Echo from 'laravel-echo';
import pusherModule, { type Channel, type Options, type PresenceChannel } from 'pusher-js';
import { onTestFinished } from 'vitest';
import { APP } from '../brokers/server.ts';
import { authorize } from './client.ts';
import { listen } from './event-inbox.ts';

/** The class itself: its types describe an ES module, its file is a CommonJS one. */
const Pusher = pusherModule as unknown as typeof pusherModule.default;
export type Pusher = InstanceType<typeof Pusher>;

/** What the official clients need to find a broker, and to try no other host. */
export function wireOptions({ host, port }: Pick<Broker, 'host' | 'port'>) {
  return {
    cluster: '',
    wsHost: host,
    wsPort: port,
    forceTLS: false,
    enabledTransports: ['ws'],
  } satisfies Options;
}

/** Where the app's backend answers, and as whom it is asked. */
export interface Identity {
  readonly backend?: string;
  readonly user?: string;
}

/** `pusher-js`, disconnected when the test ends. It may not be connected yet. */
export function openPusher(
  broker: Pick<Broker, 'host' | 'port'>,
  { backend, user, key = APP.key, ...options }: Identity & Partial<Options> & { readonly key?: string } = {},
): Pusher {
  const headers = user ? { 'x-user': user } : {};
  const client = new Pusher(key, {
    ...wireOptions(broker),
    ...(backend && {
      channelAuthorization: { transport: 'ajax', endpoint: `${backend}/auth`, headers },
      userAuthentication: { transport: 'ajax', endpoint: `${backend}/user-auth`, headers },
    }),
    ...options,
  });
  onTestFinished(() => client.disconnect());
  return client;
}

/** What all versions of `pusher-js` have. */
export type PusherClass = new (key: string, options: object) => Pick<Pusher, 'subscribe' | 'disconnect'>;

/** Another version of `pusher-js`, with the options that all versions know. It disconnects when the test ends. */
export function openPusherOf(
  version: PusherClass,
  broker: Pick<Broker, 'host' | 'port'>,
  { backend = '', user = '' }: Identity,
): InstanceType<PusherClass> {
  const client = new version(APP.key, {
    ...wireOptions(broker),
    disableStats: true,
    authEndpoint: `${backend}/auth`,
    auth: { headers: { 'x-user': user } },
  });
  onTestFinished(() => client.disconnect());
  return client;
}

/** `pusher-js`, connected. */
export async function connectPusher(
  broker: Pick<Broker, 'host' | 'port'>,
  options?: Parameters<typeof openPusher>[1],
): Promise<Pusher> {
  const client = openPusher(broker, options);
  await listen(client.connection, 'connected').next();
  return client;
}

/** Subscribes `pusher-js` and waits for the confirmation. */
export async function join(client: Pusher, name: `presence-${string}`): Promise<PresenceChannel>;
export async function join(client: Pusher, name: string): Promise<Channel>;
export async function join(client: Pusher, name: string): Promise<Channel> {
  const channel = client.subscribe(name);
  await listen(channel, 'pusher:subscription_succeeded').next();
  return channel;
}

/** Signs `pusher-js` in and waits until events for the user arrive. */
export async function signIn(client: Pusher): Promise<void> {
  client.signin();
  await client.user.signinDonePromise;
  await listen(client.user.serverToUserChannel, 'pusher:subscription_succeeded').next();
}

/** Lets `pusher-js` ask the test for the `channel_data` that is signed for it. */
export function authorizing(channelData: () => object): Partial<Options> {
  return {
    channelAuthorization: {
      transport: 'ajax',
      endpoint: '',
      customHandler: ({ socketId, channelName }, done) => {
        const data = JSON.stringify(channelData());
        done(null, { auth: authorize(socketId, channelName, data), channel_data: data });
      },
    },
  };
}

/** `laravel-echo` over `pusher-js`, disconnected when the test ends. */
export async function connectEcho(
  broker: Broker,
  { backend = '', user = '' }: Identity = {},
): Promise<Echo<'pusher'>> {
  const headers = { 'x-user': user };
  const echo = new Echo({
    broadcaster: 'pusher',
    key: APP.key,
    Pusher: pusherModule,
    ...wireOptions(broker),
    authEndpoint: `${backend}/auth`,
    auth: { headers },
    userAuthentication: { transport: 'ajax', endpoint: `${backend}/user-auth`, headers },
  });
  onTestFinished(() => echo.disconnect());
  await listen(echo.connector.pusher.connection, 'connected').next();
  return echo;
}
