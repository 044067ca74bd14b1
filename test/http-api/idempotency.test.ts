import { expect, test } from 'vitest';
import { request } from '../helpers/api.ts';
import { APP, OTHER_APP, startServer } from '../helpers/brokers/server.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { connect, type TestClient } from '../helpers/clients/client.ts';
import { readSamples } from '../helpers/metrics.ts';

type Broker = { readonly url: string };

const event = { name: 'e', channel: 'news', data: '1' };

async function post(broker: Broker, body: object, path = '/events') {
  const { status, body: answer, headers } = await request(broker, 'POST', path, { body });
  return { status, answer, replayed: headers.get('idempotency-replayed') };
}

const postBatch = (broker: Broker, batch: readonly object[]) => post(broker, { batch }, '/batch_events');

/** The data of the events that a client has received by now. */
async function dataSoFar(broker: Broker, client: TestClient, channel = 'news'): Promise<unknown[]> {
  await request(broker, 'POST', '/events', { body: { name: 'marker', channel, data: '' } });
  const received = await client.until((text) => String(text).includes('"marker"'));
  return received.slice(0, -1).map((text) => JSON.parse(String(text)).data);
}

test('what is published twice under one key is published once, and the first answer is repeated', async () => {
  const broker = await startServer({ app: { history: [{ channels: 'news', seconds: 60, messages: 10 }] } });
  const client = await connect(broker);
  await client.join('news');
  const body = { ...event, idempotency_key: 'k', info: 'subscription_count,position' };
  const first = await post(broker, body);
  expect(first).toMatchObject({ status: 200, replayed: null });
  expect(first.answer).toMatchObject({ channels: { news: { subscription_count: 1 } } });
  await (await connect(broker)).join('news');
  expect(await post(broker, body)).toEqual({ ...first, replayed: 'true' });
  expect(await dataSoFar(broker, client)).toEqual(['1']);
});

test('the body is compared by its fields', async () => {
  const broker = await startServer();
  const key = { idempotency_key: 'k'.repeat(128) };
  expect(await post(broker, { ...event, ...key })).toMatchObject({ status: 200, replayed: null });
  const same = { data: '1', channels: ['news', 'news'], ...key, name: 'e', socket_id: null };
  expect(await post(broker, same)).toMatchObject({ status: 200, answer: {}, replayed: 'true' });
  for (const change of [
    { data: '2' },
    { name: 'f' },
    { channel: 'b' },
    { socket_id: '1.2' },
    { info: 'position' },
  ]) {
    expect(await post(broker, { ...event, ...key, ...change })).toMatchObject({
      status: 422,
      answer: { code: 'idempotency_mismatch' },
    });
  }
});

test('a key is 1 to 128 characters', async () => {
  const broker = await startServer();
  for (const key of ['', 'k'.repeat(129), 7]) {
    const answer = { code: 'invalid_body' };
    expect(await post(broker, { ...event, idempotency_key: key })).toMatchObject({ status: 400, answer });
    const batch = [{ ...event, idempotency_key: key }];
    expect(await postBatch(broker, batch)).toMatchObject({ status: 400, answer });
  }
});

test('requests that come at the same time publish one event and get one answer', async () => {
  const broker = await startServer();
  const client = await connect(broker);
  await client.join('news');
  const body = { ...event, idempotency_key: 'k', info: 'subscription_count' };
  const answers = await Promise.all(Array.from({ length: 10 }, () => post(broker, body)));
  expect(answers.map(({ answer }) => answer)).toEqual(Array(10).fill(answers[0]?.answer));
  expect(answers.filter(({ replayed }) => replayed === null)).toHaveLength(1);
  expect(await dataSoFar(broker, client)).toEqual(['1']);
});

test('a refused request is not remembered, and apps are separate', async () => {
  const broker = await startServer();
  const body = { ...event, idempotency_key: 'k' };
  expect(await post(broker, { ...body, name: 'pusher:e' })).toMatchObject({ status: 400 });
  expect(await post(broker, body)).toMatchObject({ status: 200, replayed: null });
  const { status } = await request(broker, 'POST', '/events', {
    body: { ...body, data: '2' },
    app: OTHER_APP,
  });
  expect(status).toBe(200);
});

test('each event of a batch has its own key', async () => {
  const broker = await startServer();
  const client = await connect(broker);
  await client.join('news');
  const [a, b, c] = ['a', 'b', 'c'].map((data) => ({ ...event, data, idempotency_key: data }));
  expect(await post(broker, a!)).toMatchObject({ status: 200 });
  const info = { info: 'subscription_count' };
  const first = await postBatch(broker, [a!, b!, { ...c, ...info }, b!]);
  expect(first).toEqual({
    status: 200,
    replayed: null,
    answer: { batch: [{}, {}, { subscription_count: 1 }, {}] },
  });
  expect(await postBatch(broker, [b!, { ...c, ...info }, a!])).toEqual({
    status: 200,
    replayed: 'true',
    answer: { batch: [{}, { subscription_count: 1 }, {}] },
  });
  const other = { ...a, data: 'other' };
  const mismatch = { status: 422, answer: { code: 'idempotency_mismatch' } };
  expect(await postBatch(broker, [{ ...event, data: 'x' }, other])).toMatchObject(mismatch);
  const twice = [
    { ...event, idempotency_key: 'd' },
    { ...event, data: 'y', idempotency_key: 'd' },
  ];
  expect(await postBatch(broker, twice)).toMatchObject(mismatch);
  expect(await postBatch(broker, [a!, event])).toMatchObject({ status: 200, replayed: null });
  expect(await dataSoFar(broker, client)).toEqual(['a', 'b', 'c', '1']);
});

test('beyond the bounds of the app the oldest keys are forgotten', async () => {
  const broker = await startServer({
    config: { metrics: { token: 'metrics-token' } },
    limits: { idempotencyKeys: 2, idempotencyBytes: 800 },
  });
  const keyed = (key: string) => post(broker, { ...event, idempotency_key: key });
  for (const key of ['a', 'b', 'c']) await keyed(key);
  expect(await keyed('b')).toMatchObject({ replayed: 'true' });
  expect(await keyed('a')).toMatchObject({ replayed: null });
  const samples = new Map(await readSamples(`${broker.url}/metrics`, 'metrics-token'));
  const sample = (name: string) => samples.get(`countersign_${name}{app="${APP.id}"}`);
  expect(sample('idempotency_records')).toBe(2);
  expect(sample('idempotency_bytes')).toBeLessThanOrEqual(800);
  expect(sample('idempotency_evicted_total')).toBe(2);
  expect(sample('idempotency_replays_total')).toBe(1);
  expect(samples.get('countersign_bounds_reached_total{bound="idempotency_keys"}')).toBe(1);
});

test('workers share what they have published', async () => {
  const group = await startWorkers();
  const client = await group.connectTo(1);
  await client.join('news');
  const body = { ...event, idempotency_key: 'k', info: 'subscription_count' };
  // Each request may be answered by another worker.
  const answers = await Promise.all(Array.from({ length: 12 }, () => post(group, body)));
  expect(answers.filter(({ replayed }) => replayed === null)).toHaveLength(1);
  expect(await post(group, { ...body, data: '2' })).toMatchObject({ status: 422 });
  expect(await dataSoFar(group, client)).toEqual(['1']);
});
