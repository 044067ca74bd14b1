import { expect, test } from 'vitest';
import { publish } from '../helpers/api.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { connect, connectCapable } from '../helpers/clients/client.ts';
import { listenToAll } from '../helpers/clients/event-inbox.ts';
import { connectPusher } from '../helpers/clients/official.ts';
import { frames } from '../helpers/frames.ts';

const history = [{ channels: '*news', seconds: 60, messages: 5, rewind: 2 }];

test('pusher-js gets the last events after its subscription, and then what is live', async () => {
  const server = await startServer({ app: { history } });
  for (const data of ['1', '2', '3']) await publish(server, 'news', 'e', data);
  const pusher = await connectPusher(server);
  const channel = pusher.subscribe('news');
  const events = listenToAll(channel);
  expect((await events.next())[0]).toBe('pusher:subscription_succeeded');
  await publish(server, 'news', 'e', '4');
  const received = [await events.next(), await events.next(), await events.next()];
  expect(received.map(([, data]) => data)).toEqual([2, 3, 4]);
});

test('rewound events are plain for a stock client, and have a position for one that understands it', async () => {
  const server = await startServer({ app: { history } });
  for (const data of ['1', '2', '3']) await publish(server, 'news', 'e', data);
  const stock = await connect(server);
  expect(await stock.join('news')).toBe(frames.subscribed('news'));
  expect(await stock.nothing()).toEqual([frames.event('e', 'news', '2'), frames.event('e', 'news', '3')]);
  const capable = await connectCapable(server);
  const { position } = JSON.parse(String(await capable.join('news')));
  const rewound = (await capable.nothing()).map((frame) => JSON.parse(String(frame)));
  expect(rewound).toMatchObject([
    { data: '2', replayed: true },
    { data: '3', replayed: true, position },
  ]);
  const back = await connectCapable(server);
  back.subscribe('news', { after: position });
  expect((await back.nextMessage()) as object).toMatchObject({ recovery: { status: 'current' } });
  expect(await back.nothing()).toEqual([]);
});

test('a cache channel that rewinds does not send its last event twice', async () => {
  const server = await startServer({ app: { history } });
  const stock = await connect(server);
  await stock.join('cache-news');
  expect(await stock.next()).toBe(frames.cacheMiss('cache-news'));
  for (const data of ['1', '2', '3']) await publish(server, 'cache-news', 'e', data);
  const other = await connect(server);
  await other.join('cache-news');
  expect(await other.nothing()).toEqual([
    frames.event('e', 'cache-news', '2'),
    frames.event('e', 'cache-news', '3'),
  ]);
});
