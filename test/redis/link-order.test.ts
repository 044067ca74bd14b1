/**
 * A node has one connection to Redis for commands and one for messages, and either may be ahead of the other. Whichever it
 * is, what was revoked gets nothing more, and what was published is not lost to the others.
 */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { publish } from '../helpers/api.ts';
import { type RunningNode, startNode } from '../helpers/brokers/running-node.ts';
import { Valve } from '../helpers/brokers/tcp-proxy.ts';
import { connect, type Received } from '../helpers/clients/client.ts';
import { granted } from '../helpers/clients/grants.ts';
import { eventually } from '../helpers/eventually.ts';
import { frames } from '../helpers/frames.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';
import { has, revoke } from '../revocations/stage.ts';

const ROOM = 'private-room';
const OTHER = 'private-other';
/** The grant that is taken back. */
const GRANT = granted({ id: 'g-1' });

describe.skipIf(!hasRedis)('a node of which one connection to Redis is held up', { timeout: 60_000 }, () => {
  let redis: RedisServer;
  let prefixes = 0;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());

  /** Two nodes; on the far one two clients are in the same room, one of them by the grant, and the other one is in another room, too. */
  async function stage() {
    const valve = await Valve.open(redis.port);
    onTestFinished(() => valve.close());
    prefixes += 1;
    const prefix = `order-${prefixes}`;
    const [near, far] = await Promise.all(
      [redis.port, valve.port].map((redisPort) => startNode({ redisPort, prefix })),
    );
    const [ann, bob] = [await connect(far!), await connect(far!)];
    await ann.join(ROOM, GRANT);
    for (const channel of [ROOM, OTHER]) await bob.join(channel);
    return { near: near!, far: far!, valve, ann, bob };
  }

  const isDegraded = (node: RunningNode) =>
    eventually(async () => expect(await node.ready()).toMatchObject({ body: { status: 'degraded' } }));

  const takeBack = (node: RunningNode) => revoke(node, { target: { grant_id: 'g-1' }, reason: 'Out' });

  async function publishSome(node: RunningNode): Promise<Received[]> {
    const events = ['1', '2', '3', '4', '5'];
    for (const data of events) for (const channel of [ROOM, OTHER]) await publish(node, channel, 'e', data);
    return events.flatMap((data) => [ROOM, OTHER].map((channel) => frames.event('e', channel, data)));
  }

  const refusal = frames.subscriptionError(ROOM, 'AuthError', 'Out', 403, 'grant_revoked');

  /** Whoever was revoked heard of that and of nothing else; the other one gets each event of each channel once and in order. */
  async function expectRightEnd(
    { near, far, ann, bob }: Awaited<ReturnType<typeof stage>>,
    events: readonly Received[],
    told?: Received,
  ): Promise<void> {
    expect(told ?? (await ann.next(30_000))).toBe(refusal);
    await eventually(async () => expect(await far.ready()).toMatchObject({ body: { status: 'ready' } }));
    const all: Received[] = [];
    // Nothing is said of the order of two channels.
    for (const channel of [ROOM, OTHER]) {
      const end = frames.event('end', channel, '');
      await publish(near, channel, 'end', '');
      if (!all.includes(end)) all.push(...(await bob.until((received) => received === end)));
    }
    for (const channel of [ROOM, OTHER]) {
      const of = (received: readonly Received[]) => received.filter(has(`"channel":"${channel}","data"`));
      expect(of(all).filter((received) => !has('"event":"end"')(received))).toEqual(of(events));
    }
    expect(await ann.join(ROOM, GRANT)).toBe(refusal);
    expect(await ann.nothing()).toEqual([]);
  }

  test('messages come late: what was revoked is ended before anything else, and nobody is let in meanwhile', async () => {
    const parts = await stage();
    const { near, far, valve, ann } = parts;
    valve.hold('messages');
    expect(await takeBack(near)).toMatchObject({ status: 202, body: { nodes: { acknowledged: 1 } } });
    const events = await publishSome(near);
    await isDegraded(far);
    // The connection for commands works, so the seat could be taken.
    const eve = await connect(far);
    expect(await eve.join(ROOM)).toContain('"status\\":500');
    expect(await ann.join(ROOM, GRANT)).toContain('"status\\":500');
    valve.reopen();
    await expectRightEnd(parts, events);
  });

  test('messages come late and at once: they are as good as in time', async () => {
    const parts = await stage();
    const { near, valve } = parts;
    const dan = await connect(near);
    await dan.join(ROOM, GRANT);
    valve.hold('messages');
    const asked = takeBack(near);
    // The order has been given.
    expect(await dan.next()).toBe(refusal);
    const events = await publishSome(near);
    valve.reopen();
    await asked;
    await expectRightEnd(parts, events);
  });

  test('messages come by a new connection while commands are held up: nothing is delivered before what was revoked is known', async () => {
    const parts = await stage();
    const { near, far, valve, ann, bob } = parts;
    valve.hold('commands');
    valve.cutLink('messages');
    await isDegraded(far);
    expect(await takeBack(near)).toMatchObject({ status: 202, body: { nodes: { acknowledged: 1 } } });
    const events = await publishSome(near);
    expect(await ann.nothing()).toEqual([]);
    expect(await bob.nothing()).toEqual([]);
    valve.reopen();
    await expectRightEnd(parts, events);
  });

  test('commands are held up: a message says what was revoked, and the others get later what was published', async () => {
    const parts = await stage();
    const { near, far, valve, ann } = parts;
    valve.hold('commands');
    const asked = takeBack(near);
    expect(await ann.next()).toBe(refusal);
    expect((await asked).status).toBe(202);
    const events = await publishSome(near);
    await isDegraded(far);
    valve.reopen();
    await expectRightEnd(parts, events, refusal);
  });

  test('a node that hears nothing takes back on the others what it is asked to, and on itself as soon as it hears', async () => {
    const parts = await stage();
    const { near, far, valve, ann } = parts;
    const cid = await connect(near);
    await cid.join(ROOM, GRANT);
    valve.hold('messages');
    await isDegraded(far);
    // Nor does it hear that the other one has done it.
    expect(await takeBack(far)).toMatchObject({
      status: 202,
      body: { nodes: { acknowledged: 0, total: 2 } },
    });
    expect(await cid.next()).toBe(refusal);
    await publish(near, ROOM, 'e', 'after');
    expect(await ann.nothing()).toEqual([]);
    valve.reopen();
    expect(await ann.next(30_000)).toBe(refusal);
    await eventually(async () => expect(await far.ready()).toMatchObject({ body: { status: 'ready' } }));
    expect(await ann.nothing()).toEqual([]);
  });
});
