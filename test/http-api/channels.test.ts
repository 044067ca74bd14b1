import { describe, expect, test } from 'vitest';
import { OTHER_APP } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { get, post, startExample } from '../helpers/http.ts';
import { app, TIMESTAMP } from '../packages/vectors.ts';

const NAMES = 'Expected 1 to 200 of A-Z a-z 0-9 _ - = @ , . ;';

/** A broker on which Ann is twice and Bob once in `presence-room`, and Ann in other channels, too. */
async function startBusy() {
  const broker = await startExample();
  const [ann, annAgain, bob] = [
    await connect(broker, app),
    await connect(broker, app),
    await connect(broker, app),
  ];
  await ann.join('presence-room', { user_id: 'ann', user_info: { name: 'Ann' } });
  await annAgain.join('presence-room', { user_id: 'ann' });
  await bob.join('presence-room', { user_id: 'bob' });
  await bob.join('news');
  await bob.join('__proto__');
  await bob.signIn({ id: 'bob' });
  await bob.join('#server-to-user-bob');
  await (await connect(broker, OTHER_APP)).join('elsewhere');
  return { broker, ann, annAgain, bob };
}

describe('GET channels', () => {
  test('lists the occupied channels of the app, but not those of users', async () => {
    const { broker, bob } = await startBusy();
    expect((await get(broker, 'channels')).text).toBe(
      '{"channels":{"presence-room":{},"news":{},"__proto__":{}}}',
    );
    bob.unsubscribe('news');
    await bob.nothing();
    expect((await get(broker, 'channels')).text).toBe('{"channels":{"presence-room":{},"__proto__":{}}}');
  });

  test('lists those that begin with a prefix, with their users if asked', async () => {
    const { broker } = await startBusy();
    const ask = async (query: Record<string, string>) => (await get(broker, 'channels', query)).text;
    expect(await ask({ filter_by_prefix: 'ne', info: '' })).toBe('{"channels":{"news":{}}}');
    expect(await ask({ filter_by_prefix: '' })).toContain('"news"');
    expect(await ask({ filter_by_prefix: 'presence-', info: 'user_count' })).toBe(
      '{"channels":{"presence-room":{"user_count":2}}}',
    );
    expect(await ask({ filter_by_prefix: 'presence-x' })).toBe('{"channels":{}}');
  });

  test.each([
    [{ info: 'user_count' }, '"info=user_count" needs a "filter_by_prefix" that begins with presence-'],
    [
      { info: 'user_count', filter_by_prefix: 'presence' },
      '"info=user_count" needs a "filter_by_prefix" that begins with presence-',
    ],
    [
      { info: 'subscription_count' },
      'Unknown attribute "subscription_count" in "info": use a comma list of user_count',
    ],
    [{ info: 'cache' }, 'Unknown attribute "cache" in "info": use a comma list of user_count'],
    [{ filter_by_prefix: 'a b' }, `Invalid channel name in "filter_by_prefix": "a b". ${NAMES}`],
    [
      { filter_by_prefix: '#server-to-user-' },
      `Invalid channel name in "filter_by_prefix": "#server-to-user-". ${NAMES}`,
    ],
    [{ filter_by_prefix: '*' }, `Invalid channel name in "filter_by_prefix": "*". ${NAMES}`],
  ])('refuses %j', async (query, error) => {
    expect(await get(await startExample(), 'channels', query)).toMatchObject({ status: 400, error });
  });
});

describe('GET channels/CHANNEL', () => {
  test('tells whether anybody is there, and how many', async () => {
    const { broker } = await startBusy();
    const ask = async (name: string, info = '') => (await get(broker, `channels/${name}`, { info })).text;
    expect(await ask('presence-room')).toBe('{"occupied":true}');
    expect(await ask('presence-room', 'user_count')).toBe('{"occupied":true,"user_count":2}');
    expect(await ask('presence-room', 'user_count,subscription_count')).toMatch(
      /^\{"occupied":true,"user_count":2,"subscription_count":[23]\}$/,
    );
    expect(await ask('news', 'subscription_count')).toBe('{"occupied":true,"subscription_count":1}');
    expect(await ask('nobody', 'subscription_count')).toBe('{"occupied":false,"subscription_count":0}');
    expect(await ask('presence-nobody', 'user_count')).toBe('{"occupied":false,"user_count":0}');
    expect(await ask('elsewhere')).toBe('{"occupied":false}');
    expect(await ask('a,b;c=d@e')).toBe('{"occupied":false}');
    expect(await ask('a%2Cb%3Bc%3Dd%40e')).toBe('{"occupied":false}');
  });

  test('tells the kept event of a cache channel while it lives', async () => {
    let seconds = TIMESTAMP;
    const broker = await startExample({
      app: { cacheSeconds: 60 },
      parts: { monotonic: () => seconds * 1000 },
    });
    const ask = async (name: string) => (await get(broker, `channels/${name}`, { info: 'cache' })).text;
    expect(await ask('cache-a')).toBe('{"occupied":false,"cache":null}');
    await post(broker, 'events', { name: 'e', channels: ['cache-a', 'presence-cache-a'], data: '{"n":1}' });
    expect(await ask('cache-a')).toBe('{"occupied":false,"cache":{"data":"{\\"n\\":1}","ttl":60}}');
    expect(await ask('presence-cache-a')).toBe('{"occupied":false,"cache":{"data":"{\\"n\\":1}","ttl":60}}');
    seconds += 59;
    expect(await ask('cache-a')).toBe('{"occupied":false,"cache":{"data":"{\\"n\\":1}","ttl":1}}');
    seconds += 1;
    expect(await ask('cache-a')).toBe('{"occupied":false,"cache":null}');
  });

  test.each([
    ['news', 'user_count'],
    ['private-a', 'user_count'],
    ['news', 'cache'],
    ['presence-a', 'cache'],
    ['my-cache-a', 'cache'],
  ])('refuses for %s to tell %s', async (name, info) => {
    expect(await get(await startExample(), `channels/${name}`, { info })).toMatchObject({
      status: 400,
      error: `"${info}" in "info" does not apply to a channel of this kind: leave it out`,
    });
  });

  test('refuses an attribute that does not exist', async () => {
    expect(await get(await startExample(), 'channels/news', { info: 'users' })).toMatchObject({
      status: 400,
      error:
        'Unknown attribute "users" in "info": use a comma list of user_count, subscription_count, cache, position',
    });
  });

  test.each(['a b', 'é', '#server-to-user-7', '#x', 'a:b', 'c'.repeat(201)])(
    'refuses the name "%.20s"',
    async (name) => {
      for (const path of [
        `channels/${encodeURIComponent(name)}`,
        `channels/${encodeURIComponent(name)}/users`,
      ]) {
        const { status, error } = await get(await startExample(), path);
        expect([status, error]).toEqual([400, expect.stringMatching(/^Invalid channel name in the path: /)]);
      }
    },
  );
});

describe('GET channels/CHANNEL/users', () => {
  test('lists each user of a presence channel once', async () => {
    const { broker, annAgain } = await startBusy();
    expect((await get(broker, 'channels/presence-room/users')).text).toBe(
      '{"users":[{"id":"ann"},{"id":"bob"}]}',
    );
    annAgain.unsubscribe('presence-room');
    await annAgain.nothing();
    expect((await get(broker, 'channels/presence-room/users')).text).toBe(
      '{"users":[{"id":"ann"},{"id":"bob"}]}',
    );
  });

  test('gives ids as text, whatever they are', async () => {
    const broker = await startExample();
    for (const id of [7, '__proto__', 'zoë']) {
      await (await connect(broker, app)).join('presence-a', { user_id: id });
    }
    expect((await get(broker, 'channels/presence-a/users')).text).toBe(
      '{"users":[{"id":"7"},{"id":"__proto__"},{"id":"zoë"}]}',
    );
  });

  test('is an empty list if nobody is there', async () => {
    expect((await get(await startExample(), 'channels/presence-a/users')).text).toBe('{"users":[]}');
  });

  test.each(['news', 'private-a', 'cache-a', 'presence'])('refuses %s, which has none', async (name) => {
    expect(await get(await startExample(), `channels/${name}/users`)).toMatchObject({
      status: 400,
      error: 'Only presence channels have users: expected a name that begins with presence-',
    });
  });
});

describe('POST users/USER/terminate_connections', () => {
  test('closes what is signed in as the user, and nobody else', async () => {
    const broker = await startExample();
    const [ann, annAgain, bob] = [
      await connect(broker, app),
      await connect(broker, app),
      await connect(broker, app),
    ];
    for (const client of [ann, annAgain]) await client.signIn({ id: 'ann' });
    await bob.signIn({ id: 'bob' });
    await bob.join('presence-a', { user_id: 'ann' });
    expect(await post(broker, 'users/ann/terminate_connections', {})).toMatchObject({
      status: 200,
      text: '{}',
    });
    for (const client of [ann, annAgain]) expect(await client.closed()).toMatchObject({ code: 4009 });
    expect(await bob.nothing()).toEqual([]);
  });

  test('needs no body and no connection', async () => {
    const broker = await startExample();
    for (const user of ['nobody', 'zo%C3%AB', '__proto__', '%23']) {
      expect(await post(broker, `users/${user}/terminate_connections`, '')).toMatchObject({
        status: 200,
        text: '{}',
      });
    }
  });

  test.each(['x', '[]', 'null'])('refuses the body %s', async (body) => {
    expect(await post(await startExample(), 'users/7/terminate_connections', body)).toMatchObject({
      status: 400,
    });
  });
});
