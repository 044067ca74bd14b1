/** Rows of usage that are posted to one URL, by a broker whose clock the test sets. */
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { OWNER } from '../helpers/admin.ts';
import { request } from '../helpers/api.ts';
import { type Posted, startReceiver, status, type WebhookReceiver } from '../helpers/brokers/receiver.ts';
import { APP, type Credentials, OTHER_APP, startServer } from '../helpers/brokers/server.ts';
import { newFolder } from '../helpers/folder.ts';
import { readSamples } from '../helpers/metrics.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';
import { hasUsed } from '../helpers/usage.ts';

vi.setConfig({ testTimeout: 120_000 });

const SECRET = `whsec_${Buffer.alloc(32, 'a secret of tests').toString('base64')}`;
const HOUR = 3_600_000;
/** More than a period needs to settle. */
const SETTLED = 61_000;

/** A clock that stands still unless it is set. */
class Clock {
  readonly start = Math.floor(Date.now() / HOUR) * HOUR;
  at = Date.now();
  readonly now = () => this.at;

  /** The id of the row of an hour, the first of which is that of the test. */
  id({ id }: Credentials, hour = 0): string {
    return `${id}/hour/${new Date(this.start + hour * HOUR).toISOString().replace('.000Z', 'Z')}`;
  }

  /** Goes to where the hours before this one are settled. */
  settle(hour: number): void {
    this.at = this.start + hour * HOUR + SETTLED;
  }

  async publish(broker: { readonly url: string }, app: Credentials): Promise<void> {
    const query = { auth_timestamp: String(Math.floor(this.at / 1000)) };
    const body = { name: 'e', data: '1', channel: 'news' };
    expect(await request(broker, 'POST', '/events', { body, query, app })).toMatchObject({ status: 200 });
  }
}

interface Event {
  readonly id: string;
  readonly data: { readonly messages_published: number; readonly complete: boolean };
}

/** The ids of the rows in a request, whose signature is verified. */
function idsOf({ headers, rawBody }: Posted): readonly string[] {
  vi.useFakeTimers({ now: Number(headers['webhook-timestamp']) * 1000, toFake: ['Date'] });
  try {
    const events = new Webhook(SECRET).verify(rawBody, headers as Record<string, string>) as Event[];
    for (const { data } of events) expect(data).toMatchObject({ messages_published: 1, complete: true });
    return events.map(({ id }) => id);
  } finally {
    vi.useRealTimers();
  }
}

const configOf = (receiver: WebhookReceiver, more: object = {}) => ({
  admin: { token: OWNER, masterKey: Buffer.alloc(32, 1).toString('base64') },
  usage: { push: { url: receiver.url(), secret: SECRET, token: 'token-of-the-meter' } },
  ...more,
});

const pushes = async (broker: { readonly url: string }, outcome: string) =>
  (await readSamples(`${broker.url}/metrics`)).get(`countersign_usage_pushes_total{outcome="${outcome}"}`);

test('an hour is posted once it is over, signed, and not again after a restart', async () => {
  const clock = new Clock();
  const receiver = await startReceiver();
  const config = configOf(receiver, { data: newFolder() });
  const start = () => startServer({ config, parts: { now: clock.now } });
  const first = await start();
  await clock.publish(first, APP);
  await clock.publish(first, OTHER_APP);
  await first.close();
  expect(receiver.posted).toEqual([]);

  clock.settle(1);
  const second = await start();
  const posted = await receiver.next();
  expect(posted.headers).toMatchObject({
    authorization: 'Bearer token-of-the-meter',
    'content-type': 'application/cloudevents-batch+json',
  });
  expect(idsOf(posted)).toEqual([clock.id(APP), clock.id(OTHER_APP)]);
  await expect.poll(() => pushes(second, 'delivered')).toBe(1);
  await clock.publish(second, APP);
  await second.close();

  clock.settle(2);
  await start();
  expect(idsOf(await receiver.next())).toEqual([clock.id(APP, 1)]);
});

test('what is refused is posted again under the same ids, and nothing is skipped', async () => {
  const clock = new Clock();
  const receiver = await startReceiver();
  receiver.reply = status(500);
  const config = configOf(receiver, { data: newFolder() });
  const first = await startServer({ config, parts: { now: clock.now } });
  await clock.publish(first, APP);
  await first.close();
  clock.settle(1);
  const broker = await startServer({ config, parts: { now: clock.now } });
  const ids = [];
  for (let tries = 0; tries < 2; tries += 1) ids.push((await receiver.next()).headers['webhook-id']);
  receiver.reply = status(204);
  const posted = await receiver.next();
  expect([...ids, posted.headers['webhook-id']]).toEqual(Array(3).fill(ids[0]));
  expect(idsOf(posted)).toEqual([clock.id(APP)]);
  await expect.poll(() => pushes(broker, 'delivered')).toBe(1);
  expect(await pushes(broker, 'refused')).toBe(2);
});

test('what a broker had not heard the answer to is posted by the next one, under the same ids', async () => {
  const clock = new Clock();
  const receiver = await startReceiver();
  receiver.reply = () => {};
  const config = configOf(receiver, { data: newFolder() });
  const start = () => startServer({ config, parts: { now: clock.now } });
  const first = await start();
  await clock.publish(first, APP);
  await first.close();
  clock.settle(1);
  const second = await start();
  const unanswered = idsOf(await receiver.next());
  await second.close();
  receiver.reply = status(200);
  await start();
  expect(idsOf(await receiver.next())).toEqual(unanswered);
});

test('an address that is not public is not called', async () => {
  const clock = new Clock();
  const receiver = await startReceiver();
  const config = configOf(receiver, { data: newFolder(), webhookAddresses: 'public' });
  const first = await startServer({ config, parts: { now: clock.now } });
  await clock.publish(first, APP);
  await first.close();
  clock.settle(1);
  const broker = await startServer({ config, parts: { now: clock.now } });
  await expect.poll(() => pushes(broker, 'forbidden')).toBeGreaterThan(0);
  expect(receiver.posted).toEqual([]);
});

describe.skipIf(!hasRedis)('on Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());

  test('of several nodes one posts', async () => {
    const clock = new Clock();
    const receiver = await startReceiver();
    const config = configOf(receiver, { redis: { url: redis.url } });
    const nodes = [];
    for (let node = 0; node < 3; node += 1)
      nodes.push(await startServer({ config, parts: { now: clock.now } }));
    await clock.publish(nodes[0]!, APP);
    await clock.publish(nodes[1]!, OTHER_APP);
    await hasUsed(nodes[2]!, APP.id, { messages_published: 1 });
    await hasUsed(nodes[2]!, OTHER_APP.id, { messages_published: 1 });
    clock.settle(1);
    expect(idsOf(await receiver.next())).toEqual([clock.id(APP), clock.id(OTHER_APP)]);
    await clock.publish(nodes[0]!, APP);
    clock.settle(2);
    expect(idsOf(await receiver.next())).toEqual([clock.id(APP, 1)]);
    expect(receiver.posted.length).toBe(2);
  });
});
