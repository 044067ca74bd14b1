import { expect, onTestFinished, test } from 'vitest';
import { stateStore } from '../../sdk-client/dist/react/state-store.js';
import { eventually, startClient } from '../helpers/clients/client-start.ts';
import { startEndpoint } from '../helpers/clients/fake-endpoint.ts';

/** What is thrown and caught by nobody, in place of the end of this process. */
function catchUncaught(): unknown[] {
  const thrown: unknown[] = [];
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => thrown.push(error));
  onTestFinished(() => {
    process.removeAllListeners('uncaughtException');
    for (const listener of others) process.on('uncaughtException', listener);
  });
  return thrown;
}

test('an event that the reducer fails on keeps no other from the state, also of those that waited for it', async () => {
  const thrown = catchUncaught();
  const endpoint = await startEndpoint();
  const client = startClient(endpoint);
  let loaded = (_: number[]): void => {};
  const load = () =>
    new Promise<number[]>((resolve) => {
      loaded = resolve;
    });
  const reduce = (state: number[], { data }: { readonly data: unknown }) => {
    if (data === 2 || data === 4) throw new Error(`not ${data}`);
    return [...state, Number(data)];
  };
  const store = stateStore<number[]>(client, 'news', () => ({ load, reduce }));
  onTestFinished(store.subscribe(() => {}));
  const peer = await endpoint.welcome('1.1');
  await peer.next();
  peer.event('pusher_internal:subscription_succeeded', {}, 'news', { position: 'p' });
  for (let n = 1; n <= 3; n += 1) peer.event('e', n, 'news', { position: `p${n}` });
  await eventually(() => client.channel('news')?.position).toBe('p3');
  expect(store.snapshot()).toBeUndefined();
  loaded([0]);
  await eventually(() => store.snapshot()).toEqual([0, 1, 3]);
  for (let n = 4; n <= 5; n += 1) peer.event('e', n, 'news', { position: `p${n}` });
  await eventually(() => store.snapshot()).toEqual([0, 1, 3, 5]);
  expect(thrown).toEqual([new Error('not 2'), new Error('not 4')]);
});
