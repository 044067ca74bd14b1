/** What the application takes back is taken back everywhere, and nobody else notices. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { startReceiver } from '../helpers/brokers/receiver.ts';
import { APP } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { connectCapable, granted, inSeconds, read } from '../helpers/clients/grants.ts';
import { frames } from '../helpers/frames.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';
import { has, oneProcess, revoke, type Start, twoNodes, twoWorkers } from './stage.ts';

const TEAM = 'private-team';
const ROOM = 'presence-room';

function describeRevocations(start: Start): void {
  test('end: what matches ends on every node, older signatures do not count, and newer ones do', async () => {
    const [one, two] = await start();
    const [ann, phone, bob] = [await connect(one), await connect(two), await connect(two)];
    const member = { user_id: 'ann' };
    await ann.join(ROOM, member);
    await ann.join(TEAM, granted({ user: 'ann' }));
    await phone.join(ROOM, member);
    await bob.join(ROOM, { user_id: 'bob' });

    const answer = await revoke(one, { target: { user_id: 'ann' }, reason: 'Left the team' });
    expect(answer).toMatchObject({
      status: 200,
      body: { id: expect.stringMatching(/^rev-/), ended: { subscriptions: 3, connections: 0 } },
    });
    expect(answer.body.nodes.acknowledged).toBe(answer.body.nodes.total);

    const ended = [
      (await ann.until(has('subscription_error'))).at(-1),
      (await ann.until(has('subscription_error'))).at(-1),
    ];
    for (const channel of [ROOM, TEAM])
      expect(ended).toContain(
        frames.subscriptionError(channel, 'AuthError', 'Left the team', 403, 'grant_revoked'),
      );
    expect(await phone.until(has('subscription_error'))).toBeDefined();
    await publish(two, ROOM, 'e', 'after');
    await bob.until((received) => received === frames.event('e', ROOM, 'after'));

    expect(await ann.join(ROOM, member)).toContain('grant_revoked');
    const old = granted({ iat: inSeconds(-5), user: 'ann' });
    expect(await ann.join(TEAM, old)).toContain('grant_revoked');
    expect(await ann.join(TEAM, granted({ iat: inSeconds(5), user: 'ann' }))).toBe(frames.subscribed(TEAM));
    const again = await connect(two);
    expect(await again.join(ROOM, member)).toContain('subscription_succeeded');
    expect(await ann.nothing()).toEqual([]);
  });

  test('disconnect: connections that hold it, or are signed in, close; one is excepted', async () => {
    const [one, two] = await start();
    const [mine, phone, page, bob] = [
      await connect(one),
      await connectCapable(two),
      await connect(one),
      await connect(two),
    ];
    await mine.signIn({ id: 'ann' });
    await phone.signIn({ id: 'ann' });
    await page.join(ROOM, { user_id: 'ann' });
    await bob.signIn({ id: 'bob' });
    const { status, body } = await revoke(two, {
      target: { user_id: 'ann' },
      action: 'disconnect',
      reason: 'Signed out elsewhere',
      except_socket_id: mine.socketId,
    });
    expect(status).toBe(200);
    expect(body.ended).toEqual({ subscriptions: 1, connections: 2 });
    const told = await phone.until(has('countersign:terminated'));
    expect(read(told.at(-1)!).data).toEqual({ reason: 'Signed out elsewhere', code: 'grant_revoked' });
    expect(await phone.until((each) => typeof each !== 'string')).toContainEqual(
      expect.objectContaining({ code: 4009 }),
    );
    expect(await page.closed()).toMatchObject({ code: 4009 });
    expect(await mine.join(TEAM)).toBe(frames.subscribed(TEAM));
    expect(await bob.nothing()).toEqual([]);
  });

  test('a socket id alone names the connection, and a channel, prefix, grant or key what they let in', async () => {
    const [one, two] = await start();
    const [ann, bob] = [await connect(one), await connect(two)];
    await ann.join('news');
    const alone = await revoke(two, { target: { socket_id: ann.socketId }, action: 'disconnect' });
    expect(alone.body.ended.connections).toBe(1);
    expect(await ann.closed()).toMatchObject({ code: 4009 });

    await bob.join(TEAM, granted({ id: 'g-1' }));
    await bob.join('private-tea', granted({ id: 'g-2' }));
    await bob.join('private-other');
    expect((await revoke(one, { target: { grant_id: 'g-1' } })).body.ended.subscriptions).toBe(1);
    expect((await revoke(one, { target: { channel_prefix: 'private-te' } })).body.ended.subscriptions).toBe(
      1,
    );
    expect(
      (await revoke(one, { target: { channel: 'private-other', key: 'nobody' } })).body.ended.subscriptions,
    ).toBe(0);
    expect((await revoke(one, { target: { key: APP.key } })).body.ended.subscriptions).toBe(1);
  });

  test('a block keeps its target out on every node, until it is lifted', async () => {
    const [one, two] = await start();
    const mine = await connect(one);
    await mine.join(TEAM);
    const { body } = await revoke(one, {
      target: { channel_prefix: 'private-' },
      block_seconds: 60,
      reason: 'Closed',
      except_socket_id: mine.socketId,
    });
    const blocked = frames.subscriptionError('private-a', 'AuthError', 'Closed', 403, 'blocked');
    const [ann, bob] = [await connect(one), await connect(two)];
    expect(await ann.join('private-a')).toBe(blocked);
    expect(await bob.join('private-a')).toBe(blocked);
    expect(await bob.join('presence-a', { user_id: 'bob' })).toContain('subscription_succeeded');
    expect(await mine.join('private-a')).toBe(frames.subscribed('private-a'));

    const listed = await request(two, 'GET', '/revocations');
    expect(listed.body).toMatchObject({
      revocations: [{ id: body.id, target: { channel_prefix: 'private-' }, action: 'end', reason: 'Closed' }],
    });
    expect(await request(two, 'DELETE', `/revocations/${body.id}`)).toMatchObject({ status: 200, body: {} });
    expect(await bob.join('private-a')).toBe(frames.subscribed('private-a'));
    const later = await connect(one);
    expect(await later.join('private-a')).toBe(frames.subscribed('private-a'));
  });

  test('a blocked user may not sign in', async () => {
    const [one, two] = await start();
    await revoke(one, { target: { user_id: 'eve' }, action: 'disconnect', block_seconds: 60, reason: 'Out' });
    for (const place of [one, two]) {
      const eve = await connect(place);
      expect(await eve.signIn({ id: 'eve' })).toBe(frames.error(4009, 'Out', 'blocked'));
    }
  });

  test('reconnect: connections close with 4200 and may come back by what they have', async () => {
    const [one, two] = await start();
    const [ann, bob] = [await connect(one), await connect(two)];
    await ann.join(ROOM, { user_id: 'ann' });
    await bob.join(TEAM);
    const { body } = await revoke(two, { target: { user_id: 'ann' }, action: 'reconnect' });
    expect(body.ended.connections).toBe(1);
    expect(await ann.closed()).toMatchObject({ code: 4200 });
    expect(await bob.nothing()).toEqual([]);
    expect((await request(one, 'GET', '/revocations')).body).toEqual({ revocations: [] });
  });

  test('access tells who can read what, from every node, a page at a time', async () => {
    const [one, two] = await start();
    const [ann, bob] = [await connect(one), await connect(two)];
    const exp = inSeconds(60);
    const iat = inSeconds(-5);
    await ann.join(ROOM, granted({ id: 'g-1', iat, exp, may: ['subscribe'] }, { user_id: 'ann' }));
    await bob.join(ROOM, { user_id: 'bob' });
    await bob.join('news');
    const mine = {
      socket_id: ann.socketId,
      user_id: 'ann',
      channel: ROOM,
      since: expect.any(Number),
      grant: { id: 'g-1', key: APP.key, issued_at: iat, expires_at: exp, may: ['subscribe'] },
    };
    const theirs = {
      ...mine,
      socket_id: bob.socketId,
      user_id: 'bob',
      grant: { id: null, key: APP.key, issued_at: null, expires_at: null, may: ['subscribe', 'publish'] },
    };
    expect((await request(two, 'GET', '/access', { query: { user_id: 'ann' } })).body).toEqual({
      subscriptions: [mine],
    });
    const seen: unknown[] = [];
    let cursor: string | undefined;
    do {
      const query = { channel: ROOM, limit: '1', ...(cursor !== undefined && { cursor }) };
      const { body } = await request(one, 'GET', '/access', { query });
      const page = body as { subscriptions: unknown[]; cursor?: string };
      seen.push(...page.subscriptions);
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(seen).toHaveLength(2);
    expect(seen).toEqual(expect.arrayContaining([mine, theirs]));
    expect(await request(one, 'GET', '/access')).toMatchObject({ status: 400 });
  });

  test('a webhook tells whose grant was taken back, and why', async () => {
    const receiver = await startReceiver();
    const [one, two] = await start({ webhooks: [{ url: receiver.url(), events: ['grant_revoked'] }] });
    const ann = await connect(two);
    await ann.join(TEAM, granted({ id: 'g-1', user: 'ann' }));
    await revoke(one, { target: { channel: TEAM }, reason: 'Over' });
    const { socketId: socket_id } = ann;
    expect((await receiver.next()).events).toMatchObject([
      { name: 'grant_revoked', channel: TEAM, user_id: 'ann', grant_id: 'g-1', socket_id, reason: 'Over' },
    ]);
  });
}

describe('a revocation in one process', () => describeRevocations(oneProcess));
describe('a revocation with workers', { timeout: 60_000 }, () => describeRevocations(twoWorkers));
describe.skipIf(!hasRedis)('a revocation on several nodes', { timeout: 60_000 }, () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());
  describeRevocations(twoNodes(() => redis));
});

describe('a request that cannot be is refused, and the field is named', () => {
  test.each([
    ['target', {}],
    ['target', { target: {} }],
    ['target.user', { target: { user: 'ann' } }],
    ['target.socket_id', { target: { socket_id: '1' } }],
    ['target.channel', { target: { channel: 'a b' } }],
    ['colour', { target: { user_id: 'ann' }, colour: 'red' }],
    ['action', { target: { user_id: 'ann' }, action: 'stop' }],
    ['reason', { target: { user_id: 'ann' }, reason: '' }],
    ['spread_seconds', { target: { user_id: 'ann' }, spread_seconds: 5 }],
    ['spread_seconds', { target: { user_id: 'ann' }, action: 'reconnect', spread_seconds: 61 }],
    ['block_seconds', { target: { socket_id: '1.2' }, block_seconds: 5 }],
    ['block_seconds', { target: { user_id: 'ann' }, block_seconds: -1 }],
  ])('%s', async (field, body) => {
    const [broker] = await oneProcess();
    expect(await request(broker, 'POST', '/revocations', { body })).toMatchObject({
      status: 400,
      body: { code: 'revocation_invalid', error: expect.stringContaining(`"${field}"`) },
    });
  });

  test('a recheck needs a backend to ask, and a lift something to lift', async () => {
    const [broker] = await oneProcess();
    const body = { target: { user_id: 'ann' }, action: 'recheck' };
    expect(await request(broker, 'POST', '/revocations', { body })).toMatchObject({
      status: 409,
      body: { code: 'renewal_missing' },
    });
    expect(await request(broker, 'DELETE', '/revocations/rev-1')).toMatchObject({
      status: 404,
      body: { code: 'revocation_unknown' },
    });
  });
});
