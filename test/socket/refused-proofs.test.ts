/** How often one connection may offer a proof that does not hold. */
import type { Broker } from '@countersign/server';
import { describe, expect, test } from 'vitest';
import { request } from '../helpers/api.ts';
import { officialBackend } from '../helpers/brokers/backend.ts';
import { APP, type ServerSettings, startServer } from '../helpers/brokers/server.ts';
import { connect, type Received, type TestClient } from '../helpers/clients/client.ts';
import { listen } from '../helpers/clients/event-inbox.ts';
import { connectPusher, join } from '../helpers/clients/official.ts';
import { frames } from '../helpers/frames.ts';

const WRONG = `${APP.key}:${'0'.repeat(64)}`;
const refusal = frames.subscriptionError(
  'private-a',
  'AuthError',
  'Invalid signature',
  401,
  'invalid_signature',
);
/** What a client hears at the end. */
const tooMany = (rate: number) => {
  const reason = `Too many refused proofs: at most ${rate} a minute`;
  return [frames.error(4009, reason, 'too_many_refused_proofs'), { code: 4009, reason }];
};
const isClose = (received: Received) => typeof received !== 'string';

/** A broker whose clock stands still until it is moved. */
async function startAtRest(limits?: ServerSettings['limits']) {
  let now = Date.now();
  const broker = await startServer({ ...(limits && { limits }), parts: { monotonic: () => now } });
  return [broker, (seconds: number) => (now += seconds * 1000)] as const;
}

function tryOften(client: TestClient, count: number): void {
  for (let tries = 0; tries < count; tries += 1) client.subscribe('private-a', { auth: WRONG });
}

async function refusalsCounted(broker: Broker): Promise<string[]> {
  const text = await (await fetch(broker.metricsUrl ?? '')).text();
  return text.split('\n').filter((line) => line.startsWith('countersign_refusals_total'));
}

describe('a connection whose proofs are refused', () => {
  test('hears each refusal up to refusedProofsPerMinute and subscriptionsPerConnection together, and is then closed with 4009', async () => {
    const [broker] = await startAtRest();
    const client = await connect(broker);
    tryOften(client, 262);
    expect(await client.until(isClose)).toEqual([...Array<string>(261).fill(refusal), ...tooMany(60)]);
  });

  test('may have refusedProofsPerMinute more as time passes, but saves no more than one burst', async () => {
    const [broker, pass] = await startAtRest({ refusedProofsPerMinute: 4, subscriptionsPerConnection: 1 });
    const client = await connect(broker);
    pass(3600);
    tryOften(client, 5);
    for (let count = 0; count < 5; count += 1) expect(await client.next()).toBe(refusal);
    pass(30);
    tryOften(client, 3);
    expect(await client.until(isClose)).toEqual([refusal, refusal, refusal, ...tooMany(4)]);
  });

  test('may come back with all its channels signed for the last connection, and then with them signed for this one', async () => {
    const [broker] = await startAtRest();
    const client = await connect(broker);
    for (let id = 0; id < 200; id += 1) client.subscribe(`private-${id}`, { auth: WRONG });
    for (let id = 0; id < 200; id += 1) expect(await client.next()).toContain('AuthError');
    for (let id = 0; id < 100; id += 1)
      expect(await client.join(`private-${id}`)).toBe(frames.subscribed(`private-${id}`));
  });

  test('is counted whatever was wrong: no proof, no sign-in, and a sign-in too', async () => {
    const [broker] = await startAtRest({ refusedProofsPerMinute: 2, subscriptionsPerConnection: 1 });
    const client = await connect(broker);
    client.subscribe('private-a');
    client.subscribe('#server-to-user-ann');
    client.send({ event: 'pusher:signin', data: { auth: WRONG, user_data: '{"id":"ann"}' } });
    client.subscribe('private-a', { auth: WRONG });
    const received = await client.until(isClose);
    expect(received).toEqual([
      expect.stringContaining('Auth info required'),
      expect.stringContaining('Only a connection signed in'),
      frames.error(4009, 'Invalid signature', 'invalid_signature'),
      refusal,
      ...tooMany(2),
    ]);
  });

  test('is not counted where the channel or its data is wrong, nor where the application ends a subscription', async () => {
    const [broker] = await startAtRest({ refusedProofsPerMinute: 1, subscriptionsPerConnection: 1 });
    const client = await connect(broker);
    for (let count = 0; count < 5; count += 1) {
      client.subscribe('a b');
      expect(await client.next()).toContain('InvalidChannel');
      expect(await client.join('presence-a', {})).toContain('InvalidChannelData');
      const name = `private-${count}`;
      await client.join(name);
      const body = { socket_id: client.socketId };
      const removed = await request(broker, 'POST', `/channels/${name}/subscriptions/remove`, { body });
      expect(removed).toMatchObject({ status: 200, body: { removed: 1 } });
      expect(await client.next()).toContain('"pusher:subscription_error"');
    }
    expect(await client.nothing()).toEqual([]);
  });

  test('shows in the metrics, and harms no other', async () => {
    const [broker] = await startAtRest({ refusedProofsPerMinute: 1, subscriptionsPerConnection: 1 });
    const [client, other] = [await connect(broker), await connect(broker)];
    tryOften(client, 3);
    expect(await client.closed()).toEqual(tooMany(1)[1]);
    expect(await refusalsCounted(broker)).toEqual([
      `countersign_refusals_total{app="${APP.id}",reason="AuthError"} 3`,
      `countersign_refusals_total{app="${APP.id}",reason="proof_rate"} 1`,
    ]);
    expect(await other.join('private-a')).toBe(frames.subscribed('private-a'));
  });
});

test('pusher-js with 100 channels and a backend that signs wrongly hears of each, and stays', async () => {
  const broker = await startServer();
  const backend = await officialBackend(broker, { secret: 'another secret' });
  const client = await connectPusher(broker, { backend, user: 'ann' });
  const errors = Array.from({ length: 100 }, (_, id) =>
    listen(client.subscribe(`private-${id}`), 'pusher:subscription_error').next(),
  );
  for (const error of await Promise.all(errors)) {
    const refusal = { type: 'AuthError', error: 'Invalid signature', status: 401, code: 'invalid_signature' };
    expect(error).toEqual(refusal);
  }
  await join(client, 'news');
});
