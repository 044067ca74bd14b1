/** Checked by the compiler alone: one map of channels, shared by backend and page. */
import type { Countersign as Client } from '@countersign/sdk-client';
import type { BatchEvent, Countersign as Server } from '@countersign/sdk-server';
import { authRouter, webhookRouter } from '@countersign/sdk-server/express';

interface ChatChannels {
  news: { headline: { title: string } };
  [room: `private-room-${string}`]: { message: { text: string }; 'client-typing': { on: boolean } };
}

/** Takes a client of any app. */
async function publish(server: Server): Promise<void> {
  await server.trigger('news', 'anything', { title: 'hello' });
}

interface Profile {
  name: string;
}

export async function shared(server: Server<ChatChannels>, client: Client<ChatChannels>): Promise<void> {
  client.subscribe('private-room-7').bind('message', ({ text }) => text.length);
  await server.trigger('private-room-7', 'message', { text: 'hello' });
  await publish(server);
  const profile: Profile = { name: 'Ann' };
  server.authorizeChannel('1.2', 'presence-a', { user_id: 'ann', user_info: profile });
  server.authenticateUser('1.2', { id: 'ann', user_info: profile, other: 'signed, too' });
  authRouter(server, { user: () => ({ id: 7, info: profile }), canAccess: () => true, logger: undefined });
  await server.trigger(
    ['private-room-7', 'private-room-8'],
    'message',
    { text: 'hello' },
    { socketId: '1.1' },
  );

  // @ts-expect-error no such channel
  await server.trigger('private-rom-7', 'message', { text: 'hello' });
  // @ts-expect-error no such event
  await server.trigger('private-room-7', 'mesage', { text: 'hello' });
  // @ts-expect-error other data
  await server.trigger('private-room-7', 'message', { text: 7 });
  // @ts-expect-error an event of another channel
  await server.trigger('news', 'message', { text: 'hello' });
  // @ts-expect-error what clients send, a backend does not
  await server.trigger('private-room-7', 'client-typing', { on: true });

  const events: BatchEvent<ChatChannels>[] = [];
  events.push({ channel: 'news', name: 'headline', data: { title: 'hello' } });
  await server.triggerBatch(events);
  await server.triggerBatch([
    { channel: 'news', name: 'headline', data: { title: 'hello' } },
    {
      channel: 'private-room-7',
      name: 'message',
      data: { text: 'hello' },
      socketId: '1.1',
      info: ['user_count'],
    },
  ]);
  const rooms = [7, 8];
  await server.triggerBatch(
    rooms.map((id) => ({ channel: `private-room-${id}`, name: 'message', data: { text: 'hello' } })),
  );

  // @ts-expect-error no such channel
  await server.triggerBatch([{ channel: 'nwes', name: 'headline', data: { title: 'hello' } }]);
  // @ts-expect-error no such event
  await server.triggerBatch([{ channel: 'news', name: 'headlines', data: { title: 'hello' } }]);
  // @ts-expect-error other data
  await server.triggerBatch([{ channel: 'news', name: 'headline', data: { title: 7 } }]);
  // @ts-expect-error an event of another channel, with its data
  await server.triggerBatch([{ channel: 'news', name: 'message', data: { text: 'hello' } }]);
  // @ts-expect-error the data of another event
  await server.triggerBatch([{ channel: 'news', name: 'headline', data: { text: 'hello' } }]);
  // @ts-expect-error what clients send, a backend does not
  await server.triggerBatch([{ channel: 'private-room-7', name: 'client-typing', data: { on: true } }]);
  // @ts-expect-error no data
  await server.triggerBatch([{ channel: 'news', name: 'headline' }]);
  // @ts-expect-error no such field
  await server.triggerBatch([{ channel: 'news', name: 'headline', data: { title: 'hello' }, socket: '1.1' }]);
  // @ts-expect-error one right event does not make up for a wrong one
  await server.triggerBatch([...events, { channel: 'private-room-7', name: 'message', data: {} }]);

  authRouter(server, { user: () => ({ id: 'ann' }), canAccess: () => true });
  webhookRouter(server, { onEvents: () => {} });
}

interface Numbers {
  even: { counted: { n: number; half: number }; named: 'two' | 'four' };
  odd: { counted: { n: number; prime: boolean } };
}

export async function toSeveral(server: Server<Numbers>, name: 'two' | 'four'): Promise<void> {
  await server.trigger('even', 'named', name);
  await server.trigger('odd', 'counted', { n: 3, prime: true });
  await server.trigger(['even', 'odd'], 'counted', { n: 2, half: 1, prime: true });
  // @ts-expect-error the data of one of the two
  await server.trigger(['even', 'odd'], 'counted', { n: 2, half: 1 });
  // @ts-expect-error an event of one of the two
  await server.trigger(['even', 'odd'], 'named', 'two');
}

export async function untyped(server: Server, channel: string): Promise<void> {
  await server.trigger(channel, 'anything', { any: 'data' });
  await server.trigger([channel, 'news'], 'anything', 7);
  const event: BatchEvent = { channel, name: 'anything', data: 7 };
  await server.triggerBatch([event, { channel: 'news', name: 'anything', data: { any: 'data' } }]);
  // @ts-expect-error no name
  await server.triggerBatch([{ channel, data: 7 }]);
}
