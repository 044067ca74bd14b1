/** The end of grants and sign-ins, and what prevents it. */
import { beforeEach, describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { configOf, startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { listen } from '../helpers/clients/event-inbox.ts';
import { connectCapable, granted, inSeconds, read } from '../helpers/clients/grants.ts';
import { authorizing, connectPusher } from '../helpers/clients/official.ts';
import { frames } from '../helpers/frames.ts';
import { runningTime, stalledMs } from '../helpers/running-time.ts';

const PRIVATE = 'private-team';
const ROOM = 'presence-room';
/** Milliseconds that an end may be late. */
const LATE_MS = 1000;
const until = (seconds: number) => granted({ id: 'g-1', exp: inSeconds(seconds) });

let stalledBefore = 0;
beforeEach(() => {
  stalledBefore = stalledMs();
});

/** Milliseconds that an end may be late on this machine, which may have stalled meanwhile. */
const latestMs = () => LATE_MS + stalledMs() - stalledBefore;

/** Milliseconds since a second of the clock. */
const since = (second: number) => Date.now() - second * 1000;

describe('the end of a grant', () => {
  test('ends the subscription in time, and a new grant lets it in again', async () => {
    const broker = await startServer();
    const [ann, bob] = [await connect(broker), await connect(broker)];
    await ann.join(ROOM, { user_id: 'ann' });
    const exp = inSeconds(2);
    await bob.join(ROOM, granted({ exp }, { user_id: 'bob' }));
    await bob.join('news');
    expect(await ann.next()).toBe(frames.memberAdded(ROOM, 'bob'));
    await publish(broker, ROOM, 'e', 'before');
    expect(await bob.next()).toBe(frames.event('e', ROOM, 'before'));

    expect(read(await bob.next())).toEqual({
      event: 'pusher:subscription_error',
      channel: ROOM,
      data: { type: 'GrantExpired', error: 'The grant has expired', status: 401, code: 'grant_expired' },
    });
    expect(since(exp)).toBeGreaterThanOrEqual(0);
    expect(since(exp)).toBeLessThan(latestMs());
    expect(await ann.until((received) => String(received).includes('member_removed'))).toContain(
      frames.memberRemoved(ROOM, 'bob'),
    );
    await publish(broker, ROOM, 'e', 'after');
    await publish(broker, 'news', 'e', 'after');
    expect(await bob.next()).toBe(frames.event('e', 'news', 'after'));
    expect(await bob.join(ROOM, granted({ exp: inSeconds(60) }, { user_id: 'bob' }))).toBe(
      frames.presence(ROOM, [
        ['ann', null],
        ['bob', null],
      ]),
    );
  });

  test('comes after maxSeconds at the latest, also without claims, but not in public and own channels', async () => {
    const broker = await startServer({ app: { grants: { maxSeconds: 1 } } });
    const client = await connectCapable(broker);
    await client.signIn({ id: 'ann' });
    await client.join('news');
    await client.join('#server-to-user-ann');
    const start = performance.now();
    expect(read(await client.join(PRIVATE))).toMatchObject({ expires_at: inSeconds(0.999) });
    expect(read(await client.next())).toMatchObject({
      event: 'countersign:grant_expiring',
      channel: PRIVATE,
    });
    expect(read(await client.next()).data).toMatchObject({ code: 'grant_expired' });
    expect(performance.now() - start).toBeGreaterThanOrEqual(1000);
    expect(performance.now() - start).toBeLessThan(1000 + latestMs());
    expect(await client.join(PRIVATE, until(3600))).toContain('succeeded');
    expect(read(await client.next()).event).toBe('countersign:grant_expiring');
    expect(read(await client.next()).data).toMatchObject({ code: 'grant_expired' });
    expect(await client.nothing()).toEqual([]);
  });

  test('is not a moment of the wall clock: a clock that is set back does not delay it', async () => {
    let ahead = 0;
    const broker = await startServer({ parts: { now: () => Date.now() + ahead } });
    const client = await connect(broker);
    await client.join(PRIVATE, until(1));
    ahead = -3_600_000;
    expect(read(await client.next()).data).toMatchObject({ code: 'grant_expired' });
  });

  test('does not come for a subscription that the client gave up', async () => {
    const broker = await startServer();
    const client = await connect(broker);
    await client.join(PRIVATE, until(1));
    client.unsubscribe(PRIVATE);
    await client.join(PRIVATE);
    await client.join('private-later', until(2));
    expect(read(await client.next())).toMatchObject({ channel: 'private-later' });
    expect(await client.nothing()).toEqual([]);
  });

  test('closes the connection shortly before, where the app says so, with nothing told before the close', async () => {
    const broker = await startServer({ app: { grants: { onExpiry: 'reconnect' } } });
    const clients = await Promise.all(Array.from({ length: 10 }, () => connect(broker)));
    const exp = inSeconds(3);
    const start = Date.now();
    await Promise.all(clients.map((client) => client.join(PRIVATE, granted({ exp }))));
    const life = exp * 1000 - start;
    const ends = await Promise.all(
      clients.map(async (client) => {
        const { code } = await client.closed();
        return { code, at: Date.now() };
      }),
    );
    for (const { code, at } of ends) {
      expect(code).toBe(4200);
      expect(at).toBeGreaterThanOrEqual(exp * 1000 - life * 0.1 - 1);
      expect(at).toBeLessThan(exp * 1000 + latestMs());
    }
  });

  test('reaches pusher-js as an error of the subscription, which it can make again', async () => {
    const broker = await startServer();
    const pusher = await connectPusher(
      broker,
      authorizing(() => until(1.5)),
    );
    const channel = pusher.subscribe(PRIVATE);
    const succeeded = listen(channel, 'pusher:subscription_succeeded');
    const errors = listen<object>(channel, 'pusher:subscription_error');
    await succeeded.next();
    expect(await errors.next()).toMatchObject({ type: 'GrantExpired', status: 401, code: 'grant_expired' });
    expect(pusher.connection.state).toBe('connected');
    pusher.unsubscribe(PRIVATE);
    const again = pusher.subscribe(PRIVATE);
    await listen(again, 'pusher:subscription_succeeded').next();
    const events = listen<string>(again, 'e');
    await publish(broker, PRIVATE, 'e', 'back');
    expect(await events.next()).toBe('back');
  });

  test('lets pusher-js come back by itself, where the app says so', async () => {
    const broker = await startServer({ app: { grants: { onExpiry: 'reconnect' } } });
    const pusher = await connectPusher(
      broker,
      authorizing(() => until(1.5)),
    );
    const channel = pusher.subscribe(PRIVATE);
    const succeeded = listen(channel, 'pusher:subscription_succeeded');
    const errors: unknown[] = [];
    channel.bind('pusher:subscription_error', (error: unknown) => errors.push(error));
    const socketIds = new Set<string>();
    for (let life = 0; life < 3; life += 1) {
      await succeeded.next();
      socketIds.add(pusher.connection.socket_id);
    }
    expect(socketIds.size).toBe(3);
    expect(errors).toEqual([]);
  });
});

describe('a renewal by the client', () => {
  test('is asked for between 75 and 85 percent of the life, and replaces the grant without anybody noticing', async () => {
    const broker = await startServer();
    const [ann, bob] = [await connectCapable(broker), await connectCapable(broker)];
    await ann.join(ROOM, { user_id: 'ann' });
    const start = Date.now();
    const exp = inSeconds(2);
    const member = { user_id: 'bob', user_info: { n: 1 } };
    expect(read(await bob.join(ROOM, granted({ exp }, member))).expires_at).toBe(exp);
    await ann.next();
    expect(read(await bob.next())).toEqual({
      event: 'countersign:grant_expiring',
      channel: ROOM,
      data: { expires_at: exp },
    });
    const life = exp * 1000 - start;
    expect(Date.now() - start).toBeGreaterThanOrEqual(0.74 * life);
    expect(Date.now() - start).toBeLessThan(life + stalledMs() - stalledBefore);
    const next = inSeconds(60);
    bob.askFor(ROOM, granted({ exp: next }, { ...member, user_info: { n: 2 } }));
    expect(read(await bob.next())).toEqual({
      event: 'countersign:grant_renewed',
      channel: ROOM,
      data: { expires_at: next },
    });
    await bob.join(PRIVATE, granted({ exp: exp + 1 }));
    await bob.until((received) => String(received).includes('grant_expired'));
    await publish(broker, ROOM, 'e', 'still here');
    expect(await bob.next()).toBe(frames.event('e', ROOM, 'still here'));
    expect(await ann.next()).toBe(frames.event('e', ROOM, 'still here'));
    // A bare signature has no end.
    expect(read(await bob.join(ROOM, member)).data).toEqual({ expires_at: null });
  });

  test('that is refused leaves the grant until its end, and says that it was one', async () => {
    const broker = await startServer();
    const client = await connectCapable(broker);
    const exp = inSeconds(2);
    await client.join(ROOM, granted({ exp }, { user_id: 'ann' }));
    for (const [data, code] of [
      [granted({ exp: inSeconds(-1) }, { user_id: 'ann' }), 'grant_expired'],
      [granted({ exp: inSeconds(60) }, { user_id: 'bob' }), 'grant_user_mismatch'],
    ] as const) {
      const refused = read(await client.join(ROOM, data));
      expect(refused).toMatchObject({ event: 'pusher:subscription_error', data: { code, renewal: true } });
    }
    await publish(broker, ROOM, 'e', '1');
    const received = await client.until((each) => String(each).includes('subscription_error'));
    expect(received).toContain(frames.event('e', ROOM, '1'));
    expect(read(received.at(-1)!).data).toEqual({
      type: 'GrantExpired',
      error: 'The grant has expired',
      status: 401,
      code: 'grant_expired',
    });
    expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000);
  });

  test('by a stock client is a second subscribe, which is answered as ever', async () => {
    const broker = await startServer();
    const client = await connect(broker);
    await client.join(PRIVATE, until(2));
    expect(await client.join(PRIVATE, until(60))).toBe(frames.subscribed(PRIVATE));
    await client.join('private-later', until(3));
    expect(read(await client.next())).toMatchObject({ channel: 'private-later' });
    expect(await client.nothing()).toEqual([]);
    // It can be shorter, too.
    await client.join(PRIVATE, until(1));
    expect(read(await client.next()).data).toMatchObject({ code: 'grant_expired' });
  });

  test('for another user is refused to stock clients, too', async () => {
    const broker = await startServer();
    const client = await connect(broker);
    await client.join(PRIVATE, granted({ user: 'ann' }));
    const { data } = read(await client.join(PRIVATE, granted({ user: 'bob' })));
    expect(data).toEqual({
      type: 'AuthError',
      status: 403,
      code: 'grant_user_mismatch',
      error: expect.any(String),
    });
  });
});

describe('a sign-in', () => {
  const user = (seconds: number) => ({ id: 'ann', countersign: { id: 'g-1', exp: inSeconds(seconds) } });

  test('ends with 4009, after it was announced to a client that understands', async () => {
    const broker = await startServer();
    const [capable, stock] = [await connectCapable(broker), await connect(broker)];
    const data = user(2);
    const { exp } = data.countersign;
    expect(read(await capable.signIn(data)).expires_at).toBe(exp);
    const text = JSON.stringify(data);
    expect(await stock.signIn(text)).toBe(frames.signedIn(text));
    expect(read(await capable.next())).toEqual({
      event: 'countersign:authentication_expiring',
      data: { expires_at: exp },
    });
    for (const client of [capable, stock]) {
      expect((await client.closed()).code).toBe(4009);
      expect(since(exp)).toBeGreaterThanOrEqual(0);
      expect(since(exp)).toBeLessThan(LATE_MS + latestMs());
    }
    expect((await request(broker, 'GET', '/users')).body).toEqual({ users: [] });
  });

  test('is renewed by another one of the same user', async () => {
    const broker = await startServer();
    const client = await connectCapable(broker);
    await client.signIn(user(2));
    const data = user(60);
    expect(read(await client.signIn(data))).toMatchObject({
      event: 'pusher:signin_success',
      expires_at: data.countersign.exp,
    });
    await client.join(PRIVATE, until(3));
    const received = await client.until((each) => String(each).includes('grant_expired'));
    expect(received.map((each) => read(each).channel)).toEqual([PRIVATE, PRIVATE]);
    // Without an end, it lasts as long as the connection.
    expect(read(await client.signIn({ id: 'ann' })).expires_at).toBeUndefined();
  });

  test('ends with 4200 where the app says so', async () => {
    const broker = await startServer({ app: { grants: { onExpiry: 'reconnect' } } });
    const client = await connect(broker);
    await client.signIn(user(1));
    expect((await client.closed()).code).toBe(4200);
  });

  test('with claims of a channel, or past its end, is refused', async () => {
    const broker = await startServer();
    const client = await connect(broker);
    for (const [claims, code] of [
      [{ user: 'ann' }, 'claim_unknown'],
      [{ exp: inSeconds(-1) }, 'grant_expired'],
      [{ exp: 'soon' }, 'claim_invalid'],
    ] as const) {
      const { data } = read(await client.signIn({ id: 'ann', countersign: claims }));
      expect(data).toMatchObject({ code: 4009, error_code: code });
    }
  });
});

describe('the age of a connection', () => {
  test('ends it with 4200, give or take a tenth', async () => {
    const broker = await startServer({ app: { maxConnectionSeconds: 2 } });
    const [start, runningStart] = [performance.now(), runningTime()];
    const clients = await Promise.all(Array.from({ length: 5 }, () => connect(broker)));
    for (const client of clients) expect((await client.closed()).code).toBe(4200);
    expect(performance.now() - start).toBeGreaterThanOrEqual(1800);
    expect(runningTime() - runningStart).toBeLessThan(4500);
  });

  test('counts from the handshake when a reload sets it', async () => {
    const broker = await startServer();
    const start = runningTime();
    const client = await connect(broker);
    await client.nothing();
    broker.reload(configOf({ app: { maxConnectionSeconds: 1 } }).apps);
    expect((await client.closed()).code).toBe(4200);
    expect(runningTime() - start).toBeLessThan(3000);
  });
});
