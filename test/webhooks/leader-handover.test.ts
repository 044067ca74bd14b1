import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startNodeOn } from '../helpers/brokers/configured-node.ts';
import { startReceiver } from '../helpers/brokers/receiver.ts';
import { connect } from '../helpers/clients/client.ts';
import { eventually } from '../helpers/eventually.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';

/** Events that the test sends, and the number of channels that they go to. */
const EVENTS = 600;
const CHANNELS = 4;
/** The drain of the leader lasts longer than the test sends. */
const DRAIN_WINDOW_SECONDS = 20;

describe.skipIf(!hasRedis)('the leader drains', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());

  test('under load: another node delivers within a second, in order, and nothing is lost', async () => {
    const receiver = await startReceiver();
    const place = { url: redis.url, prefix: 'handover' };
    const settings = {
      config: { drainWindowSeconds: DRAIN_WINDOW_SECONDS, drainTimeoutSeconds: 2 * DRAIN_WINDOW_SECONDS },
      app: {
        limits: { clientEventsPerSecond: 100_000, framesPerSecond: 100_000 },
        webhooks: [{ url: receiver.url(), events: ['client_event'] }],
      },
    };
    const leader = await startNodeOn(place, settings);
    await leader.cli.logged('this node delivers webhooks now');
    const other = await startNodeOn(place, settings);

    // They leave one by one, so the drain lasts longer than what follows.
    for (let n = 0; n < 20; n += 1) await connect(leader);
    const talker = await connect(other);
    for (let n = 0; n < CHANNELS; n += 1) await talker.join(`private-${n}`);
    const talk = async () => {
      for (let n = 0; n < EVENTS; n += 1) {
        talker.trigger(`private-${n % CHANNELS}`, 'client-n', String(n));
        if (n % 5 === 0) await talker.nothing();
      }
    };
    const arrivals: number[] = [];
    receiver.reply = (response) => {
      arrivals.push(performance.now());
      response.writeHead(204).end();
    };
    const talked = talk();
    await eventually(() => expect(arrivals.length).toBeGreaterThan(EVENTS / 10));
    leader.cli.signal('SIGTERM');
    const { deliveries } = await leader.cli.logged('webhook deliveries wait for the next leader');
    expect(deliveries).toEqual(expect.any(Number));
    await other.cli.logged('this node delivers webhooks now');
    expect(leader.cli.count('drained')).toBe(0);
    await talked;

    const sent = Array.from({ length: EVENTS }, (_, n) => String(n));
    const arrived = () => receiver.posted.flatMap(({ events }) => events.map(({ data }) => data));
    await eventually(() => expect(new Set(arrived())).toEqual(new Set(sent)));
    for (let channel = 0; channel < CHANNELS; channel += 1) {
      const numbers = [...new Set(arrived().map(Number))].filter((n) => n % CHANNELS === channel);
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    }
    const gaps = arrivals.slice(1).map((at, n) => at - (arrivals[n] ?? 0));
    // Far less than the ten seconds after which a node counts as dead.
    expect(Math.max(...gaps)).toBeLessThan(5000);
  }, 60_000);

  test('with a request in flight: the next leader sends nothing twice', async () => {
    const receiver = await startReceiver();
    const place = { url: redis.url, prefix: 'in-flight' };
    const settings = {
      // A lease of this node timeout is over before the receiver answers, unless the leader renews it.
      config: {
        nodeTimeoutSeconds: 4,
        drainWindowSeconds: DRAIN_WINDOW_SECONDS,
        drainTimeoutSeconds: 40,
      },
      app: { webhooks: [{ url: receiver.url(), events: ['channel_occupied'] }] },
    };
    const leader = await startNodeOn(place, settings);
    await leader.cli.logged('this node delivers webhooks now');
    const other = await startNodeOn(place, settings);
    const waits = await connect(leader);
    let answer = () => {};
    receiver.reply = (response) => {
      answer = () => void response.writeHead(204).end();
    };
    await waits.join('private-a');
    await receiver.next();
    leader.cli.signal('SIGTERM');
    await leader.cli.logged('draining');
    setTimeout(() => answer(), 3000);
    await other.cli.logged('this node delivers webhooks now');
    receiver.reply = (response) => void response.writeHead(204).end();
    await (await connect(other)).join('private-b');
    expect(await receiver.nextEvent()).toMatchObject({ channel: 'private-b' });
    expect(await leader.cli.logged('webhook deliveries wait for the next leader')).toMatchObject({
      deliveries: 0,
    });
  }, 60_000);
});
