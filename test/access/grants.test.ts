/** What lets a connection into a channel, and what it may do there. */
import { describe, expect, test } from 'vitest';
import { MemoryAdapter } from '#server/adapter/memory/adapter';
import { publish, request } from '../helpers/api.ts';
import { DelayedAdapter } from '../helpers/brokers/delayed-adapter.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { connect } from '../helpers/clients/client.ts';
import { connectCapable, granted, inSeconds, read } from '../helpers/clients/grants.ts';
import { startLivePage } from '../helpers/console.ts';
import { frames } from '../helpers/frames.ts';
import { recordLog } from '../helpers/log.ts';

const PRIVATE = 'private-team';
const ROOM = 'presence-room';
const limits = { refusedProofsPerMinute: 1000 };

describe('claims in channel_data', () => {
  test('narrow a grant on private, presence and encrypted channels, and nobody sees them', async () => {
    const broker = await startServer();
    const [ann, bob] = [await connect(broker), await connect(broker)];
    await ann.join(ROOM, { user_id: 'ann' });
    const claims = {
      id: 'g-1',
      iat: inSeconds(-5),
      exp: inSeconds(60),
      user: 'bob',
      may: ['subscribe'],
      rate: 3,
    };
    expect(await bob.join(ROOM, granted(claims, { user_id: 'bob', user_info: { name: 'Bob' } }))).toBe(
      frames.presence(ROOM, [
        ['ann', null],
        ['bob', { name: 'Bob' }],
      ]),
    );
    expect(await ann.next()).toBe(frames.memberAdded(ROOM, 'bob', { name: 'Bob' }));
    for (const channel of [PRIVATE, 'private-encrypted-team', 'private-cache-team'])
      expect(await bob.join(channel, granted(claims))).toBe(frames.subscribed(channel));
    expect((await request(broker, 'GET', `/channels/${ROOM}/users`)).body).toEqual({
      users: [{ id: 'ann' }, { id: 'bob' }],
    });
  });

  const refusals: readonly (readonly [code: string, status: number, type: string, claims: unknown])[] = [
    ['claim_unknown', 400, 'InvalidChannelData', { expires: 1 }],
    ['claim_invalid', 400, 'InvalidChannelData', 'exp'],
    ['claim_invalid', 400, 'InvalidChannelData', null],
    ['claim_invalid', 400, 'InvalidChannelData', { exp: inSeconds(60) + 0.5 }],
    ['claim_invalid', 400, 'InvalidChannelData', { exp: String(inSeconds(60)) }],
    ['claim_invalid', 400, 'InvalidChannelData', { iat: inSeconds(120) }],
    ['claim_invalid', 400, 'InvalidChannelData', { id: 'g-1', once: true }],
    ['claim_invalid', 400, 'InvalidChannelData', { exp: inSeconds(60), once: true }],
    ['claim_invalid', 400, 'InvalidChannelData', { may: ['subscribe', 'delete'] }],
    ['claim_invalid', 400, 'InvalidChannelData', { previous_socket_id: 'none' }],
    ['grant_expired', 401, 'GrantExpired', { exp: inSeconds(-1) }],
    ['grant_without_subscribe', 403, 'AuthError', { may: ['publish'] }],
    ['grant_user_mismatch', 403, 'AuthError', { user: 'bob' }],
  ];
  test.each(refusals)('are refused with %s (%i, %s): %j', async (code, status, type, claims) => {
    const broker = await startServer({ limits });
    const client = await connect(broker);
    const answer = read(await client.join(ROOM, granted(claims, { user_id: 'ann' })));
    expect(answer).toMatchObject({
      event: 'pusher:subscription_error',
      channel: ROOM,
      data: { type, status, code },
    });
    expect(await client.join(ROOM, { user_id: 'ann' })).toBe(frames.presence(ROOM, [['ann', null]]));
  });

  const atTheEdge: readonly (readonly [claims: object, beyond: object])[] = [
    [{ id: 'a'.repeat(64) }, { id: 'a'.repeat(65) }],
    [{ id: 'a' }, { id: '' }],
    [{ user: 'u'.repeat(128) }, { user: 'u'.repeat(129) }],
    [{ user: 'u' }, { user: '' }],
    [{ iat: inSeconds(59) }, { iat: inSeconds(75) }],
    [{ exp: inSeconds(60) }, { exp: inSeconds(-1) }],
    [{ exp: Number.MAX_SAFE_INTEGER }, { exp: Number.MAX_SAFE_INTEGER + 1 }],
    [{ rate: 1 }, { rate: 0 }],
    [{ may: ['subscribe'] }, { may: [] }],
    [{ once: true, id: 'g', exp: inSeconds(60) }, { once: false }],
  ];
  test.each(atTheEdge)('may be %j, and not %j', async (claims, beyond) => {
    const broker = await startServer({ limits });
    const client = await connect(broker);
    expect(await client.join(PRIVATE, granted(claims))).toBe(frames.subscribed(PRIVATE));
    expect(read(await client.join(PRIVATE, granted(beyond))).event).toBe('pusher:subscription_error');
  });

  const requireExpiry = { grants: { requireExpiry: true } };
  type Named = readonly [claim: string, says: string, claims: object, app: Readonly<Record<string, unknown>>];
  const named: readonly Named[] = [
    ['expires', '"expires"', { expires: 1 }, {}],
    ['may', 'action "delete" in the claim may', { may: ['subscribe', 'delete'] }, {}],
    ['may', 'claim may', { may: ['publish'] }, {}],
    ['iat', 'claim iat', { iat: inSeconds(120) }, {}],
    ['exp', 'expired', { exp: inSeconds(-1) }, {}],
    ['once', 'claim once', { once: true }, {}],
    ['user', 'another user', { user: 'bob' }, {}],
    ['exp', 'claim exp', { id: 'g' }, requireExpiry],
  ];
  test.each(named)('that are refused are named to the client, the log and the console: %s', async (...of) => {
    const [claim, says, claims, app] = of;
    const { log, lines } = recordLog('info');
    const broker = await startServer({ app, parts: { log } });
    const page = await startLivePage(broker);
    const client = await connect(broker);
    const { data } = read(await client.join(ROOM, granted(claims, { user_id: 'ann' })));
    expect(data).toMatchObject({ error: expect.stringContaining(says) });
    expect(lines).toContainEqual(expect.objectContaining({ msg: 'subscription refused', claim }));
    expect(await page.entry('subscriptionRefused')).toMatchObject({ claim });
  });

  test('do not count towards the size of a member', async () => {
    const broker = await startServer({ limits: { presenceMemberBytes: 30 } });
    const client = await connect(broker);
    const claims = { id: 'a-long-id-that-is-longer-than-the-limit', exp: inSeconds(60) };
    expect(await client.join(ROOM, granted(claims, { user_id: '12345678901' }))).toContain('succeeded');
    const tooLong = await client.join('presence-b', granted(claims, { user_id: '123456789012345678901' }));
    expect(read(tooLong).data).toMatchObject({ code: 'member_too_large', status: 413 });
  });

  test('alone make the signed-in user the member, and must be for that user', async () => {
    const broker = await startServer();
    const client = await connect(broker);
    const anonymous = read(await client.join(ROOM, granted({ exp: inSeconds(60) })));
    expect(anonymous.data).toMatchObject({ code: 'invalid_channel_data' });
    await client.signIn({ id: 'ann', user_info: { name: 'Ann' } });
    const other = read(await client.join(ROOM, granted({ user: 'bob' })));
    expect(other.data).toMatchObject({ code: 'grant_user_mismatch', status: 403 });
    expect(await client.join(ROOM, granted({ exp: inSeconds(60), user: 'ann' }))).toBe(
      frames.presence(ROOM, [['ann', { name: 'Ann' }]]),
    );
    const elsewhere = read(await client.join(PRIVATE, granted({ user: 'bob' })));
    expect(elsewhere.data).toMatchObject({ code: 'grant_user_mismatch' });
  });

  test('name the user of a private channel, whom the application can keep out', async () => {
    const broker = await startServer();
    const client = await connect(broker);
    await client.join(PRIVATE, granted({ user: 'ann' }));
    const removal = await request(broker, 'POST', `/channels/${PRIVATE}/subscriptions/remove`, {
      body: { user_id: 'ann', block: 60 },
    });
    expect(removal.status).toBe(200);
    expect(read(await client.next()).data).toMatchObject({ code: 'grant_revoked' });
    const again = await connect(broker);
    const refused = read(await again.join(PRIVATE, granted({ user: 'ann' })));
    expect(refused.data).toMatchObject({ code: 'blocked', status: 403 });
    expect(await again.join(PRIVATE, granted({ user: 'bob' }))).toBe(frames.subscribed(PRIVATE));
  });

  test('are needed with an end where the app requires it, except on public and own channels', async () => {
    const broker = await startServer({ app: { grants: { requireExpiry: true } } });
    const client = await connect(broker);
    await client.signIn({ id: 'ann' });
    for (const data of [undefined, granted({ id: 'g-1' })]) {
      const refused = read(await client.join(PRIVATE, data));
      expect(refused.data).toMatchObject({ type: 'AuthError', status: 401, code: 'grant_without_expiry' });
    }
    for (const channel of ['news', '#server-to-user-ann'])
      expect(await client.join(channel)).toBe(frames.subscribed(channel));
    expect(await client.join(PRIVATE, granted({ exp: inSeconds(60) }))).toBe(frames.subscribed(PRIVATE));
  });
});

describe('may and rate', () => {
  test('decide which client events a subscription may send', async () => {
    const broker = await startServer({ limits: { clientEventsPerSecond: 100 } });
    const [ann, bob] = [await connect(broker), await connect(broker)];
    await bob.join(PRIVATE);
    await bob.join('private-other');
    await ann.join(PRIVATE, granted({ may: ['subscribe'] }));
    await ann.join('private-other', granted({ may: ['subscribe', 'publish'], rate: 2 }));
    ann.trigger(PRIVATE, 'client-e', 1);
    expect(read(await ann.next()).data).toMatchObject({ code: null, error_code: 'publish_not_granted' });
    for (let n = 0; n < 3; n += 1) ann.trigger('private-other', 'client-e', n);
    expect(read(await ann.next()).data).toMatchObject({ code: 4301, error_code: 'event_rate' });
    for (let n = 0; n < 2; n += 1)
      expect(await bob.next()).toBe(frames.event('client-e', 'private-other', String(n)));
    // Another grant counts from now on.
    await ann.join(PRIVATE, granted({ may: ['subscribe', 'publish'] }));
    ann.trigger(PRIVATE, 'client-e', 4);
    expect(await bob.next()).toBe(frames.event('client-e', PRIVATE, '4'));
    expect(await ann.nothing()).toEqual([]);
  });
});

describe('a grant that is accepted once', () => {
  const once = (id: string) => granted({ id, exp: inSeconds(60), once: true });

  test('is used up by the first subscription, also for another channel, connection and renewal', async () => {
    const broker = await startServer();
    const [ann, bob] = [await connectCapable(broker), await connect(broker)];
    expect(read(await ann.join(PRIVATE, once('g-1')))).toMatchObject({
      event: 'pusher_internal:subscription_succeeded',
    });
    for (const [client, channel] of [
      [ann, PRIVATE],
      [ann, 'private-b'],
      [bob, PRIVATE],
      [bob, ROOM],
    ] as const) {
      const data = channel === ROOM ? { ...once('g-1'), user_id: 'bob' } : once('g-1');
      expect(read(await client.join(channel, data)).data).toMatchObject({ code: 'grant_used', status: 401 });
    }
    expect(read(await ann.join(PRIVATE, once('g-2'))).event).toBe('countersign:grant_renewed');
    expect(read(await bob.join(PRIVATE, once('g-2'))).data).toMatchObject({ code: 'grant_used' });
    expect((await request(broker, 'GET', '/channels')).body).toEqual({ channels: { [PRIVATE]: {} } });
  });

  test('is not used up by a subscription that is refused', async () => {
    const broker = await startServer({ limits: { presenceMembers: 1 } });
    const [ann, bob] = [await connect(broker), await connect(broker)];
    await ann.join(ROOM, { user_id: 'ann' });
    const grant = { ...once('g-1'), user_id: 'bob' };
    expect(read(await bob.join(ROOM, grant)).data).toMatchObject({ code: 'channel_full' });
    ann.unsubscribe(ROOM);
    await ann.nothing();
    expect(await bob.join(ROOM, grant)).toBe(frames.presence(ROOM, [['bob', null]]));
  });

  test('lets in exactly one of many that come at once', async () => {
    const broker = await startServer({ parts: { adapter: new DelayedAdapter(new MemoryAdapter()) } });
    const clients = await Promise.all(Array.from({ length: 20 }, () => connect(broker)));
    const answers = await Promise.all(clients.map((client) => client.join(PRIVATE, once('g-1'))));
    const admitted = answers.filter((answer) => read(answer).event.endsWith('succeeded'));
    expect(admitted).toHaveLength(1);
    await publish(broker, PRIVATE, 'e', '1');
    expect(await clients[answers.indexOf(admitted[0]!)]!.next()).toBe(frames.event('e', PRIVATE, '1'));
  });

  test('is used up for all workers', async () => {
    const group = await startWorkers();
    const [ann, bob] = [await group.connectTo(1), await group.connectTo(2)];
    expect(await ann.join(PRIVATE, once('g-1'))).toBe(frames.subscribed(PRIVATE));
    expect(read(await bob.join(PRIVATE, once('g-1'))).data).toMatchObject({ code: 'grant_used' });
  });
});
