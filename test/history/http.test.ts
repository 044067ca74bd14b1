import { expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { connect, connectCapable } from '../helpers/clients/client.ts';
import { frames } from '../helpers/frames.ts';

const NEWS = 'news';
const history = [{ channels: 'news*', seconds: 60, messages: 5 }];
const EVENTS = `/channels/${NEWS}/events`;

interface Events {
  readonly events: readonly { readonly position: string; readonly data: string; readonly at_ms: number }[];
  readonly position: string;
  readonly complete: boolean;
}

async function events(server: { url: string }, query: Record<string, string> = {}): Promise<Events> {
  const { status, body } = await request(server, 'GET', EVENTS, { query });
  expect(status).toBe(200);
  return body as Events;
}

test('lists the history in pages, oldest first', async () => {
  const server = await startServer({ app: { history } });
  const empty = await events(server);
  expect(empty).toMatchObject({ events: [], complete: true });
  for (const data of ['1', '2', '3']) await publish(server, NEWS, 'e', data);
  const first = await events(server, { limit: '2' });
  expect(first.events.map(({ data }) => data)).toEqual(['1', '2']);
  expect(first).toMatchObject({ position: first.events[1]!.position, complete: false });
  expect(Math.abs(first.events[0]!.at_ms - Date.now())).toBeLessThan(60_000);
  const second = await events(server, { after: first.position });
  expect(second.events.map(({ data }) => data)).toEqual(['3']);
  expect(second.complete).toBe(true);
  expect(await events(server, { after: second.position })).toEqual({
    events: [],
    position: second.position,
    complete: true,
  });
  expect((await events(server, { after: empty.position })).events).toHaveLength(3);
});

test('refuses what it cannot answer', async () => {
  const server = await startServer({ app: { history } });
  const { position: empty } = await events(server);
  for (let n = 0; n < 6; n += 1) await publish(server, NEWS, 'e', String(n));
  const ask = async (path: string, query: Record<string, string> = {}, method: 'GET' | 'DELETE' = 'GET') =>
    (await request(server, method, path, { query })).status;
  expect(await ask(EVENTS, { limit: '0' })).toBe(400);
  expect(await ask(EVENTS, { limit: '1001' })).toBe(400);
  expect(await ask(EVENTS, { after: 'x' })).toBe(410);
  expect(await ask(EVENTS, { after: empty })).toBe(410);
  expect(await ask('/channels/other/events')).toBe(400);
  expect(await ask('/channels/other/events', {}, 'DELETE')).toBe(400);
  expect(await ask('/channels/other', { info: 'position' })).toBe(400);
  const { status, headers } = await request(server, 'POST', EVENTS);
  expect([status, headers.get('allow')]).toEqual([405, 'GET, HEAD, DELETE']);
});

test('tells the position of what was published, and the latest one', async () => {
  const server = await startServer({ app: { history } });
  const channels = [NEWS, 'news-2', 'other'];
  const { body } = await request(server, 'POST', '/events', {
    body: { name: 'e', data: '1', channels, info: 'position,subscription_count' },
  });
  const [{ position } = { position: '' }] = (await events(server)).events;
  expect(body).toEqual({
    channels: {
      [NEWS]: { position, subscription_count: 0 },
      'news-2': { position: expect.any(String), subscription_count: 0 },
      other: { subscription_count: 0 },
    },
  });
  const shown = await request(server, 'GET', `/channels/${NEWS}`, { query: { info: 'position' } });
  expect(shown.body).toEqual({ occupied: false, position });
  const batch = [
    { channel: NEWS, name: 'e', data: '2', info: 'position' },
    { channel: 'other', name: 'e', data: '3' },
  ];
  const answer = await request(server, 'POST', '/batch_events', { body: { batch } });
  expect(answer.body).toEqual({ batch: [{ position: (await events(server)).position }, {}] });
});

test('a purge drops everything, and keeps the position', async () => {
  const server = await startServer({
    app: { history: [{ channels: '*', seconds: 60, messages: 5 }] },
  });
  const channel = 'cache-news';
  const path = `/channels/${channel}/events`;
  for (const data of ['1', '2']) await publish(server, channel, 'e', data);
  const before = (await request(server, 'GET', path)).body as Events;
  expect((await request(server, 'DELETE', path)).status).toBe(200);
  expect((await request(server, 'GET', path)).body).toEqual({
    events: [],
    position: before.position,
    complete: true,
  });
  const old = { query: { after: before.events[0]!.position } };
  expect((await request(server, 'GET', path, old)).status).toBe(410);
  const stock = await connect(server);
  await stock.join(channel);
  expect(await stock.next()).toBe(frames.cacheMiss(channel));
  const client = await connectCapable(server);
  client.subscribe(channel, { after: before.position });
  expect(await client.nextMessage()).toMatchObject({ recovery: { status: 'current' } });
  await publish(server, channel, 'e', '3');
  expect(await client.nextMessage()).toMatchObject({ data: '3' });
});
