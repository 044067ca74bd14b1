import { Countersign, type CountersignOptions, type RequestError } from '@countersign/sdk-server';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Recorder, read, startRecorder } from '../helpers/brokers/recorder.ts';
import { APP, type ServerSettings, startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { runningTime } from '../helpers/running-time.ts';

interface Sent {
  readonly path: string;
  readonly events: readonly { readonly channel: string; readonly name: string }[];
}

/** What the SDK sends, and what a real broker answers. */
async function start(settings: ServerSettings = {}, options: Partial<CountersignOptions> = {}) {
  const broker = await startServer(settings);
  const sent: Sent[] = [];
  const fetch: typeof globalThis.fetch = (url, init) => {
    const { batch, ...event } = JSON.parse(String(init?.body)) as { batch?: Sent['events'] };
    sent.push({
      path: new URL(String(url)).pathname.replace(/^.*\//, ''),
      events: batch ?? [event as Sent['events'][number]],
    });
    return globalThis.fetch(url, init);
  };
  const { id: appId, key, secret } = APP;
  const countersign = new Countersign({ appId, key, secret, port: broker.port, fetch, ...options });
  return { broker, countersign, sent };
}

function forRecorder({ port }: Recorder, options: Partial<CountersignOptions> = {}): Countersign {
  return new Countersign({ appId: APP.id, key: APP.key, secret: APP.secret, port, ...options });
}

function publishAll(countersign: Countersign, channels: readonly string[]) {
  return Promise.allSettled(
    channels.map((channel, index) => countersign.trigger(channel, `e${index}`, index)),
  );
}

describe('events that are published in one turn', () => {
  test('travel in batches of 10, and of 100 once the broker has told that it takes them', async () => {
    const { countersign, sent } = await start();
    await publishAll(countersign, Array(12).fill('a'));
    expect(sent.map(({ path, events }) => [path, events.length])).toEqual([
      ['batch_events', 10],
      ['batch_events', 2],
    ]);
    await publishAll(countersign, Array(150).fill('a'));
    expect(sent.slice(2).map(({ events }) => events.length)).toEqual([100, 50]);
  });

  test('travel in batches as small as the app allows', async () => {
    const { countersign, sent } = await start({ app: { limits: { coalescedBatchSize: 4 } } });
    await publishAll(countersign, Array(2).fill('a'));
    const results = await publishAll(countersign, Array(9).fill('a'));
    expect(sent.slice(1).map(({ events }) => events.length)).toEqual([4, 4, 1]);
    expect(results.every(({ status }) => status === 'fulfilled')).toBe(true);
  });

  test('arrive in the order of the calls, whatever the channels', async () => {
    const { broker, countersign } = await start();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1 }), {
          minLength: 1,
          maxLength: 60,
        }),
        async (calls) => {
          const client = await connect(broker);
          for (const channel of ['a', 'b', 'c']) await client.join(channel);
          await Promise.all(calls.map((channels, index) => countersign.trigger(channels, 'e', index)));
          const received = new Map<string, number[]>([
            ['a', []],
            ['b', []],
            ['c', []],
          ]);
          for (let left = calls.flat().length; left > 0; left--) {
            const { channel = '', data } = await client.nextMessage();
            received.get(channel)!.push(Number(data));
          }
          for (const [channel, numbers] of received) {
            const expected = calls.flatMap((channels, index) =>
              (channels as string[]).includes(channel) ? [index] : [],
            );
            expect(numbers).toEqual(expected);
          }
          client.close();
        },
      ),
      { numRuns: 20 },
    );
  });

  test('have their own answers', async () => {
    const { broker, countersign, sent } = await start();
    const client = await connect(broker);
    await client.join('a');
    const answers = await Promise.all([
      countersign.trigger('a', 'e', 1),
      countersign.trigger('a', 'e', 2, { info: 'subscription_count' }),
      countersign.trigger(['a', 'b'], 'e', 3, { info: ['subscription_count'] }),
      countersign.sendToUser('ann', 'e', 4),
      countersign.trigger('b', 'e', 5, { info: 'subscription_count' }),
    ]);
    expect(answers).toEqual([
      {},
      { channels: { a: { subscription_count: 1 } } },
      { channels: { a: { subscription_count: 1 }, b: { subscription_count: 0 } } },
      {},
      { channels: { b: { subscription_count: 0 } } },
    ]);
    expect(sent.map(({ path, events }) => [path, events.length])).toEqual([
      ['batch_events', 2],
      ['events', 1],
      ['batch_events', 2],
    ]);
  });

  test('fail one by one: an event that the broker refuses stops no other', async () => {
    const { broker, countersign } = await start({}, { limits: { eventDataBytes: 20_000 } });
    const client = await connect(broker);
    await client.join('a');
    const results = await Promise.allSettled([
      countersign.trigger('a', 'first', 1),
      countersign.trigger('a', 'large', 'x'.repeat(10_241)),
      countersign.trigger('a', 'last', 3),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((results[1] as PromiseRejectedResult).reason).toMatchObject({ status: 413 });
    expect(await client.nextMessage()).toMatchObject({ event: 'first' });
    expect(await client.nextMessage()).toMatchObject({ event: 'last' });
  });

  test('fail together when nothing is known of the request, and none is sent again', async () => {
    const broker = await startRecorder({ status: 500, body: 'no' });
    const results = await publishAll(forRecorder(broker), ['a', 'b']);
    expect(results.map((result) => (result as { reason?: RequestError }).reason?.status)).toEqual([500, 500]);
    expect(broker.requests).toHaveLength(1);
  });

  test('take no longer than the timeout, also those that wait for an earlier batch', async () => {
    const broker = await startRecorder(null);
    const started = runningTime();
    const results = await publishAll(forRecorder(broker, { timeout: 300 }), Array(35).fill('a'));
    expect(runningTime() - started).toBeLessThan(2000);
    const codes = results.map((result) => (result as { reason?: RequestError }).reason?.code);
    expect(codes).toEqual(Array(35).fill('timeout'));
  });
});

test('an event that is alone in its turn is a single request', async () => {
  const { countersign, sent } = await start();
  await countersign.trigger('a', 'e', 1);
  await countersign.trigger('a', 'e', 2);
  expect(sent.map(({ path }) => path)).toEqual(['events', 'events']);
});

test('without coalesce each event is a request', async () => {
  const { countersign, sent } = await start({}, { coalesce: false });
  await publishAll(countersign, ['a', 'b', 'a']);
  expect(sent.map(({ path }) => path)).toEqual(['events', 'events', 'events']);
});

test('a broker that tells no limit gets batches of 10', async () => {
  const broker = await startRecorder();
  const countersign = forRecorder(broker);
  await publishAll(countersign, Array(25).fill('a'));
  await publishAll(countersign, Array(25).fill('a'));
  const sizes = broker.requests.map(({ body }) => (JSON.parse(body) as { batch: [] }).batch.length);
  expect(sizes).toEqual([10, 10, 5, 10, 10, 5]);
  for (const request of broker.requests) expect(read(request, APP.secret).valid).toBe(true);
  expect(broker.requests.every(({ headers }) => headers['countersign-batch-size'] === undefined)).toBe(true);
});
