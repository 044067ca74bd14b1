import type { ChannelAuthorization } from '@countersign/sdk-client';
import { expect } from 'vitest';
import type { Peer } from './fake-endpoint.ts';

export type Handler = NonNullable<ChannelAuthorization['customHandler']>;

export type Request = Parameters<Handler>[0];

/** Signs for everything, with the socket id in the signature. */
export const sign: Handler = async ({ socketId, channelName }) => ({
  auth: `key-1:${socketId}:${channelName}`,
});

export const subscribe = (channel: string, auth = '', channel_data?: string): object => ({
  event: 'pusher:subscribe',
  data: { auth, ...(channel_data && { channel_data }), channel },
});

export const unsubscribe = (channel: string): object => ({ event: 'pusher:unsubscribe', data: { channel } });

/** Nothing else was sent: the answer to a ping is the next frame. */
export async function expectSilence(peer: Peer): Promise<void> {
  peer.send('{"event":"pusher:ping","data":"{}"}');
  expect(await peer.next()).toEqual({ event: 'pusher:pong', data: {} });
}

/** Answers when the test says so. */
export function heldAuthorization(): {
  customHandler: Handler;
  asked: (Request & { grant(auth?: string): void })[];
} {
  const asked: (Request & { grant(auth?: string): void })[] = [];
  return {
    asked,
    customHandler: (request) =>
      new Promise((resolve) => {
        asked.push({ ...request, grant: (auth = `key-1:${request.socketId}`) => resolve({ auth }) });
      }),
  };
}
