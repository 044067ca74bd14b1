import { parseConfig } from '@countersign/server';
import { describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { connect, connectCapable } from '../helpers/clients/client.ts';
import { readSamples } from '../helpers/metrics.ts';

async function dataOf(server: { url: string }, channel: string): Promise<string[]> {
  const { body } = await request(server, 'GET', `/channels/${channel}/events`);
  return (body as { events: { data: string }[] }).events.map(({ data }) => data);
}

test('beyond its bytes the oldest events of an app go first, in whichever channel', async () => {
  const server = await startServer({
    config: { metrics: { token: 'metrics-token' } },
    app: { history: [{ channels: '*', seconds: 60, messages: 100 }], historyMaxBytes: 1024 },
  });
  const big = (text: string) => text.padEnd(200, '.');
  await publish(server, 'a', 'e', big('1'));
  await publish(server, 'b', 'e', big('2'));
  await publish(server, 'a', 'e', big('3'));
  expect(await dataOf(server, 'a')).toEqual([big('3')]);
  expect(await dataOf(server, 'b')).toEqual([big('2')]);
  await publish(server, 'a', 'e', 'x'.repeat(2000));
  expect(await dataOf(server, 'a')).toEqual([]);
  const samples = new Map(await readSamples(`${server.url}/metrics`, 'metrics-token'));
  expect(samples.get(`countersign_history_events{app="${APP.id}"}`)).toBe(0);
  expect(samples.get(`countersign_history_evicted_total{app="${APP.id}"}`)).toBe(4);
  expect(samples.get('countersign_bounds_reached_total{bound="history_bytes"}')).toBe(1);
});

test('a reader that does not read gets no gap: it is closed once the history has dropped what it needs', async () => {
  const server = await startServer({
    limits: { httpRequestsPerSecond: null },
    app: { history: [{ channels: 'news', seconds: 60, messages: 1000 }] },
  });
  const first = await connectCapable(server);
  first.subscribe('news');
  const { position } = (await first.nextMessage()) as { position?: string };
  first.close();
  const data = 'x'.repeat(10_000);
  const fill = () => request(server, 'POST', '/events', { body: { channel: 'news', name: 'e', data } });
  for (let n = 0; n < 1000; n += 1) await fill();
  const slow = await connectCapable(server);
  slow.subscribe('news', { after: position });
  await slow.nextMessage();
  slow.socket.pause();
  for (let n = 0; n < 1200; n += 1) await fill();
  slow.socket.resume();
  const close = (await slow.until((received) => typeof received !== 'string')).at(-1);
  expect(close).toMatchObject({ code: 4100 });
}, 60_000);

test('workers share the histories of their parent', async () => {
  const group = await startWorkers({ app: { history: [{ channels: 'news', seconds: 60, messages: 100 }] } });
  const first = await group.connectTo(1);
  await first.join('news');
  await publish(group, 'news', 'e', '1');
  expect(await dataOf(group, 'news')).toEqual(['1']);
  const { body } = await request(group, 'GET', '/channels/news/events');
  const { position: after } = body as { position: string };
  await publish(group, 'news', 'e', '2');
  for (let n = 0; n < 4; n += 1) {
    const client = await connectCapable(group);
    client.subscribe('news', { after });
    expect(await client.nextMessage()).toMatchObject({ recovery: { status: 'replayed', count: 1 } });
    expect(await client.nextMessage()).toMatchObject({ data: '2', replayed: true });
  }
  const samples = await group.metrics();
  expect(samples[`countersign_history_events{app="${APP.id}"}`]).toBe(2);
  expect(samples[`countersign_recoveries_total{app="${APP.id}",status="replayed"}`]).toBe(4);
}, 60_000);

describe('wrong rules stop the start', () => {
  const rule = { channels: 'news', seconds: 1, messages: 1 };
  const app = { id: '1', keys: [{ key: 'k', secret: 'secret-1' }] };
  test.each([
    ['seconds', { ...rule, seconds: 0 }],
    ['seconds', { ...rule, seconds: 604_801 }],
    ['messages', { ...rule, messages: 0 }],
    ['messages', { ...rule, messages: 10_001 }],
    ['rewind', { ...rule, rewind: 2 }],
    ['rewind', { ...rule, rewind: -1 }],
    ['channels', { ...rule, channels: '' }],
    ['channels', { ...rule, channels: 'a b' }],
  ])('%s of %j', (key, history) => {
    expect(() => parseConfig({ apps: [{ ...app, history: [history] }] })).toThrow(
      `apps[0].history[0].${key}:`,
    );
  });
});

test.each([
  ['*', 'news', true],
  ['news', 'news', true],
  ['news', 'news-1', false],
  ['news*', 'news', true],
  ['*news', 'my-news', true],
  ['a*b*c', 'abc', true],
  ['a*b*c', 'a-b-c-c', true],
  ['a*b*c', 'acb', false],
  ['ab*ba', 'aba', false],
  ['*a*a*', 'a', false],
  ['*', '#server-to-user-1', false],
  ['#server-to-user-*', '#server-to-user-1', true],
])('the pattern %s and the channel %s: %s', async (channels, channel, isKept) => {
  const server = await startServer({ app: { history: [{ channels, seconds: 60, messages: 1 }] } });
  await publish(server, channel, 'e', '1');
  const path = `/channels/${encodeURIComponent(channel)}/events`;
  expect((await request(server, 'GET', path)).status).toBe(isKept ? 200 : 400);
});

test('the first rule that matches counts', async () => {
  const rules = [
    { channels: 'news', seconds: 60, messages: 1 },
    { channels: '*', seconds: 60, messages: 5 },
  ];
  const server = await startServer({ app: { history: rules } });
  for (const channel of ['news', 'other'])
    for (const data of ['1', '2']) await publish(server, channel, 'e', data);
  expect(await dataOf(server, 'news')).toEqual(['2']);
  expect(await dataOf(server, 'other')).toEqual(['1', '2']);
  const client = await connect(server);
  await client.join('news');
  expect(await client.nothing()).toEqual([]);
});
