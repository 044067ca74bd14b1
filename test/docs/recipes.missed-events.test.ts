import type { Countersign } from '@countersign/sdk-server';
import type { Express, Request } from 'express';
import Echo from 'laravel-echo';
import pusherModule from 'pusher-js';
import { expect, onTestFinished } from 'vitest';
import { publish } from '../helpers/api.ts';
import { countersignFor, startBackend } from '../helpers/brokers/backend.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { Valve } from '../helpers/brokers/tcp-proxy.ts';
import { listenToAll } from '../helpers/clients/event-inbox.ts';
import { type Pusher, wireOptions } from '../helpers/clients/official.ts';
import { keepPromises } from '../helpers/promises.ts';
import { cook } from '../helpers/recipe.ts';

const ROOM = 'private-room';
const HISTORY = [{ channels: 'private-*', seconds: 60, messages: 3 }];

interface Recipe {
  createBackend(
    countersign: Countersign,
    userOf: (req: Request) => { id: string } | undefined,
    canAccess: () => boolean,
  ): Express;
  connect(
    Pusher: unknown,
    key: string,
    options: object,
    endpoint: string,
    onLost: (channel: string, code: string) => void,
  ): Pusher;
  recovery(onLost: (channel: string, code: string) => void): {
    paramsProvider(): object;
    watch(pusher: Pusher): void;
  };
}

/** A broker that is reached through a valve, a backend, and a page that is in a room. */
async function start() {
  const recipe = await cook<Recipe>('missed-events');
  const broker = await startServer({ app: { history: HISTORY } });
  const valve = await Valve.open(broker.port);
  onTestFinished(() => valve.close());
  const user = { id: 'ann' };
  const backend = await startBackend((app) =>
    app.use(
      recipe.createBackend(
        countersignFor(broker),
        () => ({ ...user }),
        () => true,
      ),
    ),
  );
  const endpoint = `${backend}/countersign/auth`;
  const lost: (readonly [string, string])[] = [];
  const onLost = (channel: string, code: string) => void lost.push([channel, code]);
  const options = wireOptions({ host: '127.0.0.1', port: valve.port });
  const say = (data: string) => publish(broker, ROOM, 'say', data);
  return { recipe, broker, valve, user, endpoint, lost, onLost, options, say };
}

async function startPage() {
  const site = await start();
  const { recipe, options, endpoint, onLost } = site;
  const client = recipe.connect(pusherModule, 'key-1', options, endpoint, onLost);
  onTestFinished(() => client.disconnect());
  const channel = client.subscribe(ROOM);
  const events = listenToAll(channel);
  expect((await events.next())[0]).toBe('pusher:subscription_succeeded');
  return { ...site, client, events };
}

/** Cuts the connection, publishes some events, and lets the client come back. */
async function miss(
  { valve, say }: Pick<Awaited<ReturnType<typeof start>>, 'valve' | 'say'>,
  data: readonly string[],
): Promise<void> {
  valve.cut();
  valve.shut();
  for (const each of data) await say(each);
  valve.reopen();
}

keepPromises('recipes/missed-events.md', {
  'A client that comes back gets what it missed, after its subscription and before what is live':
    async () => {
      const site = await startPage();
      await site.say('1');
      expect(await site.events.next()).toEqual(['say', 1]);
      await miss(site, ['2', '3']);
      expect((await site.events.next())[0]).toBe('pusher:subscription_succeeded');
      await site.say('4');
      // The event right before the cut may not have arrived, so it comes again.
      const again = [await site.events.next(), await site.events.next(), await site.events.next()];
      expect(again.map(([, value]) => value)).toEqual([1, 2, 3]);
      expect(await site.events.next()).toEqual(['say', 4]);
      expect(site.lost).toEqual([]);
    },

  'Laravel Echo gets it, too': async () => {
    const site = await start();
    const { paramsProvider, watch } = site.recipe.recovery(site.onLost);
    const echo = new Echo({
      broadcaster: 'pusher',
      key: 'key-1',
      Pusher: pusherModule,
      ...site.options,
      channelAuthorization: { endpoint: site.endpoint, transport: 'ajax', paramsProvider },
    });
    onTestFinished(() => echo.disconnect());
    watch(echo.connector.pusher as unknown as Pusher);
    const events = listenToAll((echo.private('room') as unknown as { subscription: never }).subscription);
    expect((await events.next())[0]).toBe('pusher:subscription_succeeded');
    await miss(site, ['1', '2']);
    expect((await events.next())[0]).toBe('pusher:subscription_succeeded');
    expect([await events.next(), await events.next()]).toEqual([
      ['say', 1],
      ['say', 2],
    ]);
  },

  'What is lost is told': async () => {
    const site = await startPage();
    await miss(site, ['1', '2', '3', '4']);
    expect((await site.events.next())[0]).toBe('pusher:subscription_succeeded');
    await expect.poll(() => site.lost).toEqual([[ROOM, 'position_too_old']]);
    await site.say('5');
    expect(await site.events.next()).toEqual(['say', 5]);
  },

  'Another user gets nothing': async () => {
    const site = await startPage();
    site.user.id = 'bob';
    await miss(site, ['1']);
    expect((await site.events.next())[0]).toBe('pusher:subscription_succeeded');
    await expect.poll(() => site.lost).toEqual([[ROOM, 'position_unknown']]);
    await site.say('2');
    expect(await site.events.next()).toEqual(['say', 2]);
  },

  'Without the option the endpoint signs no such claim': async () => {
    const { authRouter } = await import('@countersign/sdk-server/express');
    const broker = await startServer();
    const claimsBy = async (recover: boolean | undefined, previous: string) => {
      const options = { user: () => ({ id: 'ann' }), canAccess: () => true };
      const router = authRouter(countersignFor(broker), { ...options, ...(recover && { recover }) });
      const backend = await startBackend((app) => app.use(router));
      const body = new URLSearchParams({
        socket_id: '1.2',
        channel_name: ROOM,
        previous_socket_id: previous,
      });
      const response = await fetch(`${backend}/auth`, { method: 'POST', body });
      const grant = (await response.json()) as { channel_data: string };
      return JSON.parse(grant.channel_data).countersign;
    };
    expect(await claimsBy(true, '3.4')).toMatchObject({ user: 'ann', previous_socket_id: '3.4' });
    for (const claims of [await claimsBy(true, 'x'), await claimsBy(undefined, '3.4')])
      expect(claims).not.toHaveProperty('previous_socket_id');
  },
});
