import { afterEach, expect, test, vi } from 'vitest';
import { nextEvent, startClient } from '../helpers/clients/client-start.ts';
import { startEndpoint } from '../helpers/clients/fake-endpoint.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

test('a listener that throws harms neither its neighbours nor the connection, and is not hidden', async () => {
  const endpoint = await startEndpoint();
  const client = startClient(endpoint);
  const channel = client.subscribe('news');
  const peer = await endpoint.welcome();
  await peer.next();
  peer.confirm('news');
  const thrown: unknown[] = [];
  const later = queueMicrotask;
  vi.stubGlobal('queueMicrotask', (callback: () => void) =>
    later(() => {
      try {
        callback();
      } catch (error) {
        thrown.push(error);
      }
    }),
  );
  const error = new Error('of the app');
  channel.bind('e', () => {
    throw error;
  });
  const neighbour = nextEvent(channel, 'e');
  const next = nextEvent(channel, 'next');
  peer.event('e', 1, 'news');
  peer.event('next', 2, 'news');
  expect(await neighbour).toBe(1);
  expect(await next).toBe(2);
  expect(thrown).toEqual([error]);
  expect(client.connection.state).toBe('connected');
});
