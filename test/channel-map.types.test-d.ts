/** Checked by the compiler alone: one map of channels, shared by backend and page. */
import type { Countersign as Client } from '@countersign/sdk-client';
import type { Countersign as Server } from '@countersign/sdk-server';
import { authRouter, webhookRouter } from '@countersign/sdk-server/express';

interface ChatChannels {
  news: { headline: { title: string } };
  [room: `private-room-${string}`]: { message: { text: string }; 'client-typing': { on: boolean } };
}

export async function shared(server: Server<ChatChannels>, client: Client<ChatChannels>): Promise<void> {
  client.subscribe('private-room-7').bind('message', ({ text }) => text.length);
  await server.trigger('private-room-7', 'message', { text: 'hello' });
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

  authRouter(server, { user: () => ({ id: 'ann' }), canAccess: () => true });
  webhookRouter(server, { onEvents: () => {} });
}

export async function untyped(server: Server, channel: string): Promise<void> {
  await server.trigger(channel, 'anything', { any: 'data' });
  await server.trigger([channel, 'news'], 'anything', 7);
}
