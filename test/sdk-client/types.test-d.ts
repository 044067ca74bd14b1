/** Checked by the compiler alone: what a declared map of channels allows. */
import type {
  Channel,
  Countersign,
  Member,
  PresenceChannel,
  Published,
  SubscriptionError,
  WebSocketConstructor,
} from '@countersign/sdk-client';
import { expectTypeOf } from 'vitest';
import { WebSocket } from 'ws';

interface ChatChannels {
  news: { headline: { title: string } };
  [room: `private-room-${string}`]: { message: { text: string }; 'client-typing': { on: boolean } };
  [lobby: `presence-${string}`]: { 'pusher:member': { name: string }; wave: string };
}

export function typed(client: Countersign<ChatChannels>): void {
  const room = client.subscribe('private-room-7');
  room.bind('message', (data) => expectTypeOf(data).toEqualTypeOf<{ text: string }>());
  room.bind('pusher:subscription_error', (data) => expectTypeOf(data).toEqualTypeOf<SubscriptionError>());
  expectTypeOf(room.trigger('client-typing', { on: true })).toEqualTypeOf<Promise<Published>>();
  expectTypeOf(room.on('message', () => {})).toEqualTypeOf<() => void>();
  expectTypeOf(room.bind('message', () => {}).subscribed).toEqualTypeOf<boolean>();

  client.bind('terminated', (data) =>
    expectTypeOf(data).toEqualTypeOf<{ readonly reason: string; readonly code?: string }>(),
  );
  client.bind('signedOut', (data) => expectTypeOf(data).toBeUndefined());

  // @ts-expect-error no such channel
  client.subscribe('private-rom-7');
  // @ts-expect-error no such channel
  client.channel('sports');
  // @ts-expect-error no such event
  room.bind('mesage', () => {});
  // @ts-expect-error other data
  room.bind('message', (data: { text: number }) => data);
  // @ts-expect-error other data
  void room.trigger('client-typing', { on: 'yes' });
  // @ts-expect-error not a client event
  void room.trigger('message', { text: 'hello' });
  // @ts-expect-error no client event is declared here
  void client.subscribe('news').trigger('client-typing', { on: true });

  const lobby = client.subscribe('presence-lobby');
  expectTypeOf(lobby.members.me).toEqualTypeOf<Member<{ name: string }> | null>();
  lobby.bind('pusher:member_added', (member) => expectTypeOf(member.info.name).toEqualTypeOf<string>());
  lobby.bind('wave', (data) => expectTypeOf(data).toEqualTypeOf<string>());
  expectTypeOf(lobby.ready).resolves.toEqualTypeOf<typeof lobby>();
  // @ts-expect-error a public channel has no members
  client.subscribe('news').members;
}

/** A helper that takes any client takes one with declared channels, too. */
const stateOf = (client: Countersign): string => client.connection.state;
export const stateOfTyped = (client: Countersign<ChatChannels>): string => stateOf(client);

export function untyped(client: Countersign, name: string): void {
  const channel = client.subscribe(name);
  expectTypeOf(channel).toEqualTypeOf<Channel>();
  channel.bind('anything', (data) => expectTypeOf(data).toEqualTypeOf<unknown>());
  channel.bind('anything', (data: { title: string }) => data.title);
  void channel.trigger('client-anything', { any: 'data' });
  // @ts-expect-error not the name of a client event
  void channel.trigger('anything', {});
  expectTypeOf(client.subscribe('presence-lobby')).toEqualTypeOf<PresenceChannel>();
  client.connection.bind('state_change', ({ previous, current }) => [previous, current]);
  // @ts-expect-error no such event of a connection
  client.connection.bind('opened', () => {});
}

expectTypeOf(WebSocket).toExtend<WebSocketConstructor>();
