/** A connection on which a user has lost a channel does not come back as somebody else. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { request } from '../helpers/api.ts';
import { connect } from '../helpers/clients/client.ts';
import { granted, inSeconds } from '../helpers/clients/grants.ts';
import { frames } from '../helpers/frames.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';
import { has, oneProcess, revoke, type Start, twoNodes, twoWorkers } from './stage.ts';

const TEAM = 'private-team';
const ROOM = 'presence-room';

function describeAnotherUser(start: Start): void {
  test('a removed member does not join under another id, nor speak there, but elsewhere and on a new connection', async () => {
    const [one, two] = await start();
    const [ann, witness] = [await connect(one), await connect(two)];
    await ann.join(ROOM, { user_id: 'ann' });
    await witness.join(ROOM, { user_id: 'witness' });
    const body = { user_id: 'ann', reason: 'Asked to leave', block: 60 };
    const removed = await request(two, 'POST', `/channels/${ROOM}/subscriptions/remove`, { body });
    expect(removed).toMatchObject({ status: 200, body: { removed: 1 } });
    await ann.until(has('subscription_error'));
    await witness.until(has('member_removed'));

    const refused = frames.subscriptionError(ROOM, 'AuthError', 'Asked to leave', 403, 'grant_revoked');
    expect(await ann.join(ROOM, { user_id: 'eve' })).toBe(refused);
    ann.trigger(ROOM, 'client-hello', 1);
    await ann.next();
    expect(await witness.nothing()).toEqual([]);
    expect(await ann.join('presence-other', { user_id: 'eve' })).toContain('subscription_succeeded');
    const again = await connect(one);
    expect(await again.join(ROOM, { user_id: 'eve' })).toContain('subscription_succeeded');
  });

  test('the user of a grant does not come back as nobody, unless that is signed later', async () => {
    const [one, two] = await start();
    const ann = await connect(one);
    await ann.join(TEAM, granted({ user: 'ann' }));
    await revoke(two, { target: { user_id: 'ann' }, reason: 'Left the team' });
    await ann.until(has('subscription_error'));
    expect(await ann.join(TEAM)).toContain('grant_revoked');
    expect(await ann.join(TEAM, granted({ iat: inSeconds(-5) }))).toContain('grant_revoked');
    expect(await ann.join(TEAM, granted({ iat: inSeconds(5) }))).toBe(frames.subscribed(TEAM));
  });

  test('a connection that has lost a grant or what a key signed is let in by another grant', async () => {
    const [one, two] = await start();
    const ann = await connect(one);
    await ann.join(TEAM, granted({ id: 'g-1', user: 'ann' }));
    await revoke(two, { target: { grant_id: 'g-1', user_id: 'ann' } });
    await ann.until(has('subscription_error'));
    expect(await ann.join(TEAM, granted({ id: 'g-2', user: 'ann' }))).toBe(frames.subscribed(TEAM));
  });
}

describe('in one process', () => describeAnotherUser(oneProcess));
describe('in two workers', () => describeAnotherUser(twoWorkers));
describe.skipIf(!hasRedis)('in two nodes on Redis', { timeout: 30_000 }, () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());
  describeAnotherUser(twoNodes(() => redis));
});
