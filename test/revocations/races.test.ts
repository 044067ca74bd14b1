/** What is taken back while something of it is under way is not let in by what was under way. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { renewedFor, renewing, startRenewingBackend } from '../helpers/brokers/renewing-backend.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { connect, type TestClient } from '../helpers/clients/client.ts';
import { connectCapable, granted, inSeconds, read } from '../helpers/clients/grants.ts';
import { eventually } from '../helpers/eventually.ts';
import { frames } from '../helpers/frames.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';
import { IdentityProvider } from '../helpers/token-issuer.ts';
import { has, revoke, twoNodes } from './stage.ts';

const TEAM = 'private-team';
const ROOM = 'presence-room';

/** A promise, and what resolves it. */
function gate(): { readonly passed: Promise<void>; open(): void } {
  let open = () => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

describe('a token whose keys are being fetched', () => {
  test.each([
    ['is revoked', {}, 'grant_revoked'],
    ['belongs to a user who is disconnected', { action: 'disconnect' }, 'grant_revoked'],
    ['belongs to a user who is blocked', { block_seconds: 60 }, 'blocked'],
  ])('%s', async (_, body, code) => {
    const provider = await IdentityProvider.start();
    const broker = await startServer({ app: { tokens: provider.trusted } });
    const client = await connectCapable(broker);
    const { passed, open } = gate();
    provider.pause = passed;
    client.send({
      event: 'countersign:authenticate',
      data: { token: await provider.token({ iat: inSeconds(-1) }) },
    });
    await eventually(() => expect(provider.reads).toBe(1));
    expect((await revoke(broker, { target: { user_id: 'ann' }, ...body })).status).toBe(200);
    open();
    expect(read(await client.next())).toMatchObject({
      event: 'countersign:authentication_failed',
      data: { code },
    });
    client.subscribe('private-team-1');
    expect(await client.next()).toContain('subscription_error');
  });
});

describe('a grant that is being renewed', () => {
  test.each(['end', 'disconnect'])('by the backend: %s', async (action) => {
    const { passed, open } = gate();
    const backend = await startRenewingBackend(async (right) => {
      await passed;
      return renewedFor(60, right);
    });
    const broker = await startServer({ app: renewing(backend.url) });
    const client = await connect(broker);
    await client.join(TEAM, granted({ exp: inSeconds(4), user: 'ann' }));
    await eventually(() => expect(backend.underWay.now).toBe(1));
    const { body } = await revoke(broker, { target: { user_id: 'ann' }, action });
    expect(body.ended.subscriptions).toBe(1);
    open();
    await eventually(() => expect(backend.underWay.now).toBe(0));
    await publish(broker, TEAM, 'e', 'after');
    if (action === 'disconnect') expect(await client.closed()).toMatchObject({ code: 4009 });
    else {
      expect(await client.next()).toContain('grant_revoked');
      expect(await client.nothing()).toEqual([]);
      expect((await request(broker, 'GET', '/channels')).body).toEqual({ channels: {} });
    }
  });

  test('by the client, which is told of the end once, and gets nothing after the answer', async () => {
    const broker = await startServer();
    for (let round = 0; round < 30; round += 1) {
      const client = await connectCapable(broker);
      const grant = granted({ user: 'ann', exp: inSeconds(60) });
      await client.join(TEAM, grant);
      const revoked = revoke(broker, { target: { user_id: 'ann' } });
      for (let n = 0; n < 20; n += 1) client.askFor(TEAM, grant);
      await revoked;
      await publish(broker, TEAM, 'e', 'after');
      const received = (await client.nothing()).map((each) => read(each));
      const ends = received.filter(({ event }) => event === 'pusher:subscription_error');
      expect(ends.length).toBeGreaterThan(0);
      expect(received.filter(({ event }) => event === 'e')).toEqual([]);
      client.close();
    }
  });
});

describe('a block', () => {
  test('that is lifted while another one is made leaves the other one', async () => {
    const broker = await startServer();
    const client = await connect(broker);
    const later = () => granted({ iat: inSeconds(10) }, { user_id: 'ann' });
    let last = await revoke(broker, { target: { user_id: 'ann' }, block_seconds: 60 });
    for (let round = 0; round < 30; round += 1) {
      const [next, lifted] = await Promise.all([
        revoke(broker, { target: { user_id: 'ann' }, block_seconds: 60 }),
        request(broker, 'DELETE', `/revocations/${last.body.id}`),
      ]);
      expect([next.status, lifted.status]).toEqual([200, 200]);
      expect(await client.join(ROOM, later())).toContain('\\"blocked\\"');
      last = next;
    }
    expect((await request(broker, 'DELETE', `/revocations/${last.body.id}`)).status).toBe(200);
    expect(await client.join(ROOM, later())).toContain('subscription_succeeded');
  });
});

describe.skipIf(!hasRedis)('on another node', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());

  test('a member that joins while it is taken back is in nowhere afterwards, and gets nothing', async () => {
    const [one, two] = await twoNodes(() => redis)();
    const watcher = await connect(one);
    await watcher.join(ROOM, { user_id: 'watcher' });
    const joining: TestClient[] = [];
    for (let round = 0; round < 40; round += 1) {
      const client = await connect(two);
      joining.push(client);
      client.askFor(ROOM, { user_id: 'ann' });
      await sleep(Math.random() * 4);
      const { status } = await revoke(one, { target: { user_id: 'ann' } });
      expect(status).toBe(200);
      await publish(one, ROOM, 'e', 'after');
      await watcher.until(has('"event":"e"'));
    }
    for (const client of joining) {
      const received = await client.nothing();
      expect(received.filter(has('"event":"e"'))).toEqual([]);
      expect(received.at(-1)).toContain('grant_revoked');
      client.close();
    }
    await eventually(async () =>
      expect((await request(one, 'GET', `/channels/${ROOM}/users`)).body).toEqual({
        users: [{ id: 'watcher' }],
      }),
    );
    await publish(one, ROOM, 'e', 'end');
    expect(await watcher.until(has('"end"'))).toContain(frames.event('e', ROOM, 'end'));
  });

  test('the clock of the one that is asked is not what decides which grants are older', async () => {
    const config = { redis: { url: `redis://127.0.0.1:${redis.port}`, prefix: 'skewed' } };
    const startAt = (offsetMs: number) =>
      startServer({ config, parts: { now: () => Date.now() + offsetMs } });
    const [ahead, behind] = [await startAt(30_000), await startAt(-30_000)];
    for (const broker of [ahead, behind]) {
      expect((await revoke(broker, { target: { grant_id: 'before' } })).status).toBe(200);
      // What was issued then was issued before: also where the clock says that this is yet to come.
      const [old, fresh] = [
        { id: 'before', iat: inSeconds(-10) },
        { id: 'before', iat: inSeconds(3) },
      ];
      for (const place of [ahead, behind]) {
        const client = await connect(place);
        expect(await client.join('private-a', granted(old))).toContain('grant_revoked');
        expect(await client.join('private-a', granted(fresh))).toContain('subscription_succeeded');
      }
    }
  });

  test('a node that starts with a wrong clock keeps out who is blocked, and for no longer', async () => {
    const config = { redis: { url: `redis://127.0.0.1:${redis.port}`, prefix: 'late' } };
    const right = await startServer({ config });
    await revoke(right, { target: { user_id: 'ann' }, block_seconds: 600 });
    const { status } = await revoke(right, {
      target: { user_id: 'bob' },
      action: 'reconnect',
      block_seconds: 3,
    });
    expect(status).toBe(200);
    for (const hours of [-1, 1]) {
      const now = () => Date.now() + hours * 3_600_000;
      const client = await connect(await startServer({ config, parts: { now } }));
      expect(await client.join('presence-a', { user_id: 'ann' })).toContain('\\"blocked\\"');
      await eventually(async () =>
        expect(await client.join('presence-b', { user_id: 'bob' })).toContain('subscription_succeeded'),
      );
    }
  });

  test.each([-1, 1])(
    'a clock that steps by %i h lets nobody in, and keeps out nobody else',
    async (hours) => {
      let offsetMs = 0;
      const now = () => Date.now() + offsetMs;
      const config = { redis: { url: `redis://127.0.0.1:${redis.port}`, prefix: `clocks${hours}` } };
      const [right, wrong] = [await startServer({ config }), await startServer({ config, parts: { now } })];
      const [ann, bob, cal] = [await connect(wrong), await connect(right), await connect(wrong)];
      await ann.join(ROOM, { user_id: 'ann' });
      await bob.join(ROOM, { user_id: 'bob' });
      await cal.join(ROOM, { user_id: 'cal' });
      offsetMs = hours * 3_600_000;
      const take = (broker: typeof right, at: number, userId: string) =>
        request(broker, 'POST', '/revocations', {
          body: { target: { user_id: userId }, block_seconds: 60 },
          query: { auth_timestamp: String(Math.floor(at / 1000)) },
        });
      expect((await take(right, Date.now(), 'ann')).status).toBe(200);
      expect((await take(wrong, now(), 'bob')).status).toBe(200);
      expect((await ann.until(has('subscription_error'))).at(-1)).toContain('grant_revoked');
      expect((await bob.until(has('subscription_error'))).at(-1)).toContain('grant_revoked');
      for (const broker of [right, wrong]) {
        const again = await connect(broker);
        for (const userId of ['ann', 'bob'])
          expect(await again.join(ROOM, { user_id: userId })).toContain('\\"blocked\\"');
        expect(await again.join(ROOM, { user_id: 'dan' })).toContain('subscription_succeeded');
      }
      await publish(right, ROOM, 'e', 'after');
      expect((await cal.until(has('"event":"e"'))).some(has('subscription_error'))).toBe(false);
      for (const client of [ann, bob])
        expect((await client.nothing()).filter(has('"event":"e"'))).toEqual([]);
    },
  );
});
