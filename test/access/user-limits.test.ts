/** A user has no more connections and sends no more client events than the app allows, on whichever nodes. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startServer } from '../helpers/brokers/server.ts';
import { connect, type Received, type TestClient } from '../helpers/clients/client.ts';
import { connectCapable, granted, read } from '../helpers/clients/grants.ts';
import { eventually } from '../helpers/eventually.ts';
import { frames } from '../helpers/frames.ts';
import { recordLog } from '../helpers/log.ts';
import { readSamples } from '../helpers/metrics.ts';
import { NODE_TIMEOUT_SECONDS } from '../helpers/redis/node-timeout.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';
import { freeze } from '../helpers/redis/replicas.ts';
import { oneProcess, type Start, twoNodes, twoWorkers } from '../revocations/stage.ts';

const ROOM = 'presence-room';
const TEAM = 'private-team';
const EVENTS = 20;
const RATE = 5;

/** Sends client events with ids, and answers how many were published and by which codes the others were refused. */
async function send(client: TestClient, channel: string): Promise<{ published: number; codes: string[] }> {
  for (let i = 0; i < EVENTS; i += 1)
    client.send({ event: 'client-e', channel, data: {}, id: `${client.socketId}-${i}` });
  let published = 0;
  const codes: string[] = [];
  while (published + codes.length < EVENTS) {
    const { event, data } = read(await client.next());
    if (event === 'countersign:ack') published += 1;
    if (event === 'countersign:nack') codes.push((data as { code: string }).code);
  }
  return { published, codes };
}

/** The next things that a client receives. */
async function many(client: TestClient, count: number): Promise<Received[]> {
  const received: Received[] = [];
  while (received.length < count) received.push(await client.next());
  return received;
}

function describeUserLimits(start: Start): void {
  test('the newest connections of a user win, in the order of their sign-ins', async () => {
    const [one, two] = await start({ limits: { connectionsPerUser: 2 } });
    const [first, second, third, capable] = [
      await connect(one),
      await connect(two),
      await connect(one),
      await connectCapable(two),
    ];
    const bob = await connect(two);
    await bob.signIn({ id: 'bob' });
    await capable.signIn({ id: 'ann' });
    await third.signIn({ id: 'ann' });
    expect(await second.signIn({ id: 'ann' })).toContain('pusher:signin_success');
    const told = read(await capable.next());
    expect(told).toMatchObject({ event: 'countersign:terminated', data: { code: 'superseded' } });
    expect(await capable.closed()).toMatchObject({ code: 4009 });

    expect(await first.signIn({ id: 'ann' })).toContain('pusher:signin_success');
    const closed = await third.closed();
    expect(closed).toMatchObject({ code: 4009, reason: expect.stringMatching(/^superseded: /) });
    for (const stays of [first, second, bob]) {
      expect(await stays.join(TEAM)).toBe(frames.subscribed(TEAM));
      expect(await stays.nothing()).toEqual([]);
    }
  });

  test('connections that sign in at the same time leave as many as the limit allows', async () => {
    const [one, two] = await start({ limits: { connectionsPerUser: 1 } });
    const clients = await Promise.all(Array.from({ length: 6 }, (_, i) => connect(i % 2 ? one : two)));
    await Promise.all(clients.map((client) => client.signIn({ id: 'ann' })));
    const last = await connect(one);
    await last.signIn({ id: 'ann' });
    for (const client of clients) {
      const received = await client.until((each) => typeof each !== 'string');
      expect(received.at(-1)).toMatchObject({ code: 4009 });
    }
    expect(await last.join(TEAM)).toBe(frames.subscribed(TEAM));
  });

  test('the connections of a user share a rate of client events, and others have their own', async () => {
    const limits = { clientEventsPerSecond: null, clientEventsPerSecondPerUser: RATE };
    const [one, two] = await start({ limits });
    const [phone, laptop, bob] = [
      await connectCapable(one),
      await connectCapable(two),
      await connectCapable(two),
    ];
    await phone.join(ROOM, { user_id: 'ann' });
    await laptop.join(TEAM, granted({ user: 'ann' }));
    await bob.signIn({ id: 'bob' });
    await bob.join('private-other');

    const startedAt = performance.now();
    const [fromPhone, fromLaptop] = await Promise.all([send(phone, ROOM), send(laptop, TEAM)]);
    const windows = 1 + Math.floor((performance.now() - startedAt) / 1000);
    const published = fromPhone.published + fromLaptop.published;
    expect(published).toBeGreaterThanOrEqual(RATE);
    expect(published).toBeLessThanOrEqual(RATE * windows);
    expect(new Set([...fromPhone.codes, ...fromLaptop.codes])).toEqual(new Set(['event_rate']));
    expect((await send(bob, 'private-other')).published).toBeGreaterThanOrEqual(RATE);
  });
}

describe('limits per user in one process', () => describeUserLimits(oneProcess));
describe('limits per user with workers', { timeout: 60_000 }, () => describeUserLimits(twoWorkers));
describe.skipIf(!hasRedis)('limits per user on several nodes', { timeout: 60_000 }, () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());
  describeUserLimits(twoNodes(() => redis));
});

test.skipIf(!hasRedis)(
  'events that cannot be counted wait in a bounded number, and come in order once Redis answers',
  { timeout: 60_000 },
  async () => {
    const redis = await RedisServer.start();
    onTestFinished(() => redis.stop());
    const limits = { clientEventsPerSecond: null, clientEventsPerSecondPerUser: 1000, framesPerSecond: null };
    const config = {
      redis: { url: redis.url, prefix: 'uncounted' },
      nodeTimeoutSeconds: NODE_TIMEOUT_SECONDS,
    };
    const broker = await startServer({ limits, config });
    const [ann, bob] = [await connectCapable(broker), await connect(broker)];
    await ann.join(ROOM, { user_id: 'ann' });
    await bob.join(ROOM, { user_id: 'bob' });
    await ann.next();
    const thaw = await freeze(redis);
    for (let n = 0; n < 150; n += 1) ann.send({ event: 'client-e', channel: ROOM, data: n, id: String(n) });
    const answers = await many(ann, 50);
    expect(answers.map(read)).toEqual(
      Array.from({ length: 50 }, (_, n) => ({
        event: 'countersign:nack',
        data: {
          id: String(100 + n),
          code: 'unavailable',
          error: expect.stringContaining('wait to be counted'),
        },
      })),
    );
    const samples = await readSamples(broker.metricsUrl!);
    expect(samples.get('countersign_bounds_reached_total{bound="uncounted_events"}')).toBe(50);
    thaw();
    const rest = (await many(ann, 100)).map(read);
    const published = rest
      .filter(({ event }) => event === 'countersign:ack')
      .map(({ data }) => (data as { id: string }).id);
    expect(rest.map(({ data }) => (data as { id: string }).id)).toEqual(
      Array.from({ length: 100 }, (_, n) => String(n)),
    );
    const seen = await many(bob, published.length);
    expect(seen.map((each) => String(read(each).data))).toEqual(published);
    await eventually(async () => {
      ann.send({ event: 'client-e', channel: ROOM, data: 'again', id: 'again' });
      expect(read(await ann.next()).event).toBe('countersign:ack');
    });
  },
);

test('a stock client is told by 4301, keeps its channel, and may go on in the next second', async () => {
  let now = 0;
  const broker = await startServer({
    limits: { clientEventsPerSecond: null, clientEventsPerSecondPerUser: 2 },
    parts: { monotonic: () => now },
  });
  const [ann, bob] = [await connect(broker), await connect(broker)];
  await ann.join(ROOM, { user_id: 'ann' });
  await bob.join(ROOM, { user_id: 'bob' });
  await ann.next();
  for (const data of [1, 2, 3]) ann.trigger(ROOM, 'client-e', data);
  const refused = 'Too many client events of this user: at most 2 a second';
  expect(await ann.next()).toBe(frames.error(4301, refused, 'event_rate'));
  now += 1000;
  ann.trigger(ROOM, 'client-e', 4);
  const seen = [await bob.next(), await bob.next(), await bob.next()];
  expect(seen.map((each) => read(each).data)).toEqual([1, 2, 4]);
  const samples = await readSamples(broker.metricsUrl!);
  expect(samples.get('countersign_rate_limit_hits_total{app="app-1"}')).toBe(1);
});

test('a connection that is superseded is counted and logged', async () => {
  const { log, lines } = recordLog('info');
  const broker = await startServer({ limits: { connectionsPerUser: 1 }, parts: { log } });
  const [old, fresh] = [await connect(broker), await connect(broker)];
  await old.signIn({ id: 'ann' });
  await fresh.signIn({ id: 'ann' });
  const samples = await readSamples(broker.metricsUrl!);
  expect(samples.get('countersign_refusals_total{app="app-1",reason="superseded"}')).toBe(1);
  const line = { msg: 'connection superseded', socketId: old.socketId };
  expect(lines).toContainEqual(expect.objectContaining(line));
});

test('whom nobody knows has no limit of a user', async () => {
  const broker = await startServer({
    limits: { clientEventsPerSecond: null, clientEventsPerSecondPerUser: 1 },
  });
  const somebody = await connectCapable(broker);
  await somebody.join(TEAM);
  expect(await send(somebody, TEAM)).toEqual({ published: EVENTS, codes: [] });
});
