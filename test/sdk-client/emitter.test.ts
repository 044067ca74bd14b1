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

test('on and onAny return what ends them, and off does what unbind does', async () => {
  const { connection } = startClient(await startEndpoint(), { autoConnect: false });
  const heard: string[] = [];
  const stop = connection.onAny((event) => heard.push(event));
  const changed = (): void => void heard.push('changed');
  connection.on('state_change', changed);
  connection.on('connecting', () => heard.push('heard'));
  connection.off('connecting').connect();
  expect(heard).toEqual(['state_change', 'changed', 'connecting']);
  stop();
  connection.disconnect();
  expect(heard.slice(3)).toEqual(['changed']);
  connection.off('state_change', changed);
  connection.connect();
  connection.disconnect();
  expect(heard).toHaveLength(4);
});
