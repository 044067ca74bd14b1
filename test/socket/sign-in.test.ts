import { MemoryAdapter } from '@countersign/server';
import { describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { DelayedAdapter } from '../helpers/brokers/delayed-adapter.ts';
import { APP, OTHER_APP, startServer } from '../helpers/brokers/server.ts';
import { authenticate, authorize, connect, type TestClient } from '../helpers/clients/client.ts';
import { frameOf, opcodes, RawClient } from '../helpers/clients/raw.ts';
import { frames } from '../helpers/frames.ts';
import { recordLog } from '../helpers/log.ts';
import { userVectors, app as vectorApp } from '../packages/vectors.ts';

const refused = (why: string, code = 'invalid_user_data'): string => frames.error(4009, why, code);
const NO_MATCH = refused('Invalid signature', 'invalid_signature');
const NO_PROOF = refused(
  'Invalid auth: expected KEY:SIGNATURE with 64 lower-case hex digits',
  'invalid_auth',
);
const NO_TEXT = refused('user_data must be a string that holds JSON');
const NO_ID = refused('user_data must have an id: 1 to 128 of A-Z a-z 0-9 _ - = @ , . ;');

async function signInWith(client: TestClient, data: unknown) {
  client.send({ event: 'pusher:signin', data });
  return client.next();
}

/** Whether a connection is signed in as a user: only then it may subscribe to the user's channel. */
async function isSignedInAs(client: TestClient, id: string): Promise<boolean> {
  client.subscribe(`#server-to-user-${id}`);
  return (await client.next()) === frames.subscribed(`#server-to-user-${id}`);
}

describe.each(userVectors)('$id', ({ socketId, userData, signature }) => {
  const auth = `${vectorApp.key}:${signature}`;
  const settings = (id: string) => ({
    app: { id: vectorApp.id, keys: [{ key: vectorApp.key, secret: vectorApp.secret }] },
    parts: { newSocketId: () => id },
  });

  test('is accepted, and its user_data sent back unchanged', async () => {
    const client = await connect(await startServer(settings(socketId)), vectorApp);
    expect(await signInWith(client, { auth, user_data: userData })).toBe(frames.signedIn(userData));
  });

  test('is refused on another connection, which may then sign in with its own', async () => {
    const client = await connect(await startServer(settings(`${socketId}1`)), vectorApp);
    expect(await signInWith(client, { auth, user_data: userData })).toBe(NO_MATCH);
    expect(await client.signIn(userData)).toBe(frames.signedIn(userData));
  });

  test.each([
    ['other user_data', { auth, user_data: `${userData} ` }, NO_MATCH],
    [
      'another digit',
      { auth: `${auth.slice(0, -1)}${auth.endsWith('0') ? 1 : 0}`, user_data: userData },
      NO_MATCH,
    ],
    [
      'upper-case digits',
      { auth: `${vectorApp.key}:${signature.toUpperCase()}`, user_data: userData },
      NO_PROOF,
    ],
    ['a digit too few', { auth: auth.slice(0, -1), user_data: userData }, NO_PROOF],
    ['its signature alone', { auth: signature, user_data: userData }, NO_PROOF],
    [
      "another app's key",
      { auth: `${OTHER_APP.key}:${signature}`, user_data: userData },
      refused(`Invalid key in auth: this app has no key '${OTHER_APP.key}'`, 'unknown_key'),
    ],
    [
      'the signature of a channel',
      { auth: authorize(socketId, 'private-a', undefined, vectorApp), user_data: userData },
      NO_MATCH,
    ],
    ['auth as a number', { auth: 7, user_data: userData }, NO_PROOF],
    ['auth in a list', { auth: [auth], user_data: userData }, NO_PROOF],
    ['no auth', { user_data: userData }, NO_PROOF],
    ['user_data as an object', { auth, user_data: JSON.parse(userData) }, NO_TEXT],
    ['no user_data', { auth }, NO_TEXT],
  ])('is refused with %s, and then accepted as it is', async (_, data, answer) => {
    const client = await connect(await startServer(settings(socketId)), vectorApp);
    expect(await signInWith(client, data)).toBe(answer);
    expect(await signInWith(client, { auth, user_data: userData })).toBe(frames.signedIn(userData));
  });
});

describe('user_data', () => {
  test.each(['{"id":"7"}', '{ "id" : "7" }', '{"id":"7","id":"8"}', '{"id":"7","a":"\\u00eb\\/"}'])(
    'comes back byte for byte: %s',
    async (userData) => {
      const client = await connect(await startServer());
      expect(await client.signIn(userData)).toBe(frames.signedIn(userData));
    },
  );

  test.each([
    ['x', refused('user_data must be a JSON object')],
    ['', refused('user_data must be a JSON object')],
    ['[]', refused('user_data must be a JSON object')],
    ['"7"', refused('user_data must be a JSON object')],
    ['null', refused('user_data must be a JSON object')],
    ['{}', NO_ID],
    ['{"id":""}', NO_ID],
    ['{"id":7}', NO_ID],
    ['{"id":null}', NO_ID],
    ['{"id":["7"]}', NO_ID],
    ['{"id":"a b"}', NO_ID],
    ['{"id":"zoë"}', NO_ID],
    ['{"id":"a:b"}', NO_ID],
    ['{"user_id":"7"}', NO_ID],
    ['{"__proto__":{"id":"7"}}', NO_ID],
    [`{"id":"${'7'.repeat(129)}"}`, NO_ID],
    ['{"id":"7","user_info":"Ann"}', refused('user_info must be an object')],
    ['{"id":"7","user_info":[]}', refused('user_info must be an object')],
    ['{"id":"7","user_info":7}', refused('user_info must be an object')],
  ])('cannot be %s', async (userData, answer) => {
    const client = await connect(await startServer());
    expect(await client.signIn(userData)).toBe(answer);
    expect(await isSignedInAs(client, '7')).toBe(false);
  });

  test.each(['7', '-', 'a@b.c', '__proto__', 'constructor', '7'.repeat(128)])('may name %s', async (id) => {
    const client = await connect(await startServer());
    expect(await client.signIn({ id })).toBe(frames.signedIn(JSON.stringify({ id })));
    expect(await isSignedInAs(client, id)).toBe(true);
  });

  test('has at most 1024 bytes, the watchlist not counted', async () => {
    const client = await connect(await startServer());
    const info = (length: number) => ({ name: 'x'.repeat(length) });
    const fits = 1024 - JSON.stringify({ id: '7', user_info: info(0) }).length;
    expect(await client.signIn({ id: '7', user_info: info(fits + 1) })).toBe(
      refused('user_data is longer than 1024 bytes', 'user_data_too_large'),
    );
    const watchlist = Array.from({ length: 100 }, (_, n) => `friend-${n}`);
    const user = { id: '7', user_info: info(fits), watchlist };
    expect(await client.signIn(user)).toBe(frames.signedIn(JSON.stringify(user)));
  });

  test('may come in the text of a data object', async () => {
    const client = await connect(await startServer());
    const data = { auth: authenticate(client.socketId, '{"id":"7"}'), user_data: '{"id":"7"}' };
    expect(await signInWith(client, JSON.stringify(data))).toBe(frames.signedIn('{"id":"7"}'));
  });
});

describe('a refused sign-in', () => {
  const wrong = { auth: `${APP.key}:${'0'.repeat(64)}`, user_data: '{"id":"7"}' };

  test('leaves the connection and its subscriptions', async () => {
    const server = await startServer();
    const client = await connect(server);
    await client.join('private-a');
    expect(await signInWith(client, wrong)).toBe(NO_MATCH);
    expect(await isSignedInAs(client, '7')).toBe(false);
    await publish(server, 'private-a', 'e', '1');
    expect(await client.next()).toBe(frames.event('e', 'private-a', '1'));
  });

  test('closes the connection when it is the fifth', async () => {
    const client = await connect(await startServer());
    for (let failure = 1; failure < 5; failure += 1) expect(await signInWith(client, wrong)).toBe(NO_MATCH);
    const reason = 'Sign-in refused 5 times: Invalid signature';
    expect(await signInWith(client, wrong)).toBe(frames.error(4009, reason, 'too_many_refused_sign_ins'));
    expect(await client.next()).toEqual({ code: 4009, reason });
  });

  test('closes nothing when it is the fourth, and the fifth attempt is right', async () => {
    const client = await connect(await startServer());
    for (let failure = 1; failure < 5; failure += 1) await signInWith(client, wrong);
    expect(await client.signIn({ id: '7' })).toBe(frames.signedIn('{"id":"7"}'));
    expect(await isSignedInAs(client, '7')).toBe(true);
  });

  test('gets the text that should have been signed only if the app says so', async () => {
    const server = await startServer({ app: { explainRefusals: true } });
    const client = await connect(server);
    const text = JSON.stringify(`${client.socketId}::user::{"id":"7"}`);
    expect(await signInWith(client, wrong)).toBe(
      refused(
        `Invalid signature: expected the HMAC SHA256 hex digest of ${text}. The signature matches no known mistake: most likely the backend uses a different secret, or signs a different text.`,
        'invalid_signature',
      ),
    );
  });

  test('is logged with its reason and no secret', async () => {
    const { log, lines } = recordLog();
    const client = await connect(await startServer({ parts: { log } }));
    await signInWith(client, wrong);
    const where = { appId: APP.id, key: APP.key, socketId: client.socketId };
    expect(lines.filter(({ msg }) => msg.startsWith('sign-in refused'))).toMatchObject([
      { level: 30, ...where, reason: 'Invalid signature' },
      { level: 20, ...where, explanation: expect.stringContaining('::user::') },
    ]);
    expect(JSON.stringify(lines)).not.toContain(APP.secret);
  });
});

describe('a connection that is signed in', () => {
  test('stays the same user after a sign-in as another one', async () => {
    const client = await connect(await startServer());
    await client.signIn({ id: 'ann' });
    expect(await client.signIn({ id: 'bob' })).toBe(
      refused('Signed in as another user already', 'user_mismatch'),
    );
    expect(await isSignedInAs(client, 'bob')).toBe(false);
    expect(await isSignedInAs(client, 'ann')).toBe(true);
  });

  test('may sign in again as the same user, and be described anew', async () => {
    const client = await connect(await startServer());
    await client.signIn({ id: 'ann', user_info: { name: 'Ann' } });
    const again = { id: 'ann', user_info: { name: 'Anna' } };
    expect(await client.signIn(again)).toBe(frames.signedIn(JSON.stringify(again)));
    expect(await client.join('presence-room')).toBe(
      frames.presence('presence-room', [['ann', { name: 'Anna' }]]),
    );
  });

  test.each([
    [{ id: 'ann', user_info: { name: 'Ann' } }, { name: 'Ann' }],
    [{ id: 'ann', user_info: {} }, {}],
    [{ id: 'ann', user_info: null }, null],
    [{ id: 'ann' }, null],
  ])('as %j joins presence channels without channel_data', async (user, info) => {
    const server = await startServer();
    const [witness, client] = [await connect(server), await connect(server)];
    await witness.join('presence-room', { user_id: 'bob' });
    await client.signIn(user);
    expect(await client.join('presence-room')).toBe(
      frames.presence('presence-room', [
        ['bob', null],
        ['ann', info],
      ]),
    );
    expect(await witness.next()).toBe(frames.memberAdded('presence-room', 'ann', info ?? undefined));
  });

  test('joins a presence channel as the member of its channel_data', async () => {
    const client = await connect(await startServer());
    await client.signIn({ id: 'ann', user_info: { name: 'Ann' } });
    expect(await client.join('presence-room', { user_id: 'guest' })).toBe(
      frames.presence('presence-room', [['guest', null]]),
    );
  });

  test('still needs a signature for the presence channel', async () => {
    const client = await connect(await startServer());
    await client.signIn({ id: 'ann' });
    client.subscribe('presence-room');
    expect(await client.next()).toBe(
      frames.subscriptionError(
        'presence-room',
        'AuthError',
        'Auth info required to subscribe',
        401,
        'missing_auth',
      ),
    );
  });
});

describe('subscriptions that follow a sign-in at once', () => {
  /** A broker that takes a while over every sign-in and subscription. */
  const startSlow = (limits = {}) =>
    startServer({ limits, parts: { adapter: new DelayedAdapter(new MemoryAdapter(), () => 1) } });

  /** Sends sign-in and subscriptions in one go, and waits for all answers. */
  async function answers(client: TestClient, ...ask: readonly (() => void)[]) {
    const signedIn = client.signIn({ id: 'ann' });
    for (const each of ask) each();
    const received = [await signedIn];
    while (received.length <= ask.length) received.push(await client.next());
    return received.slice(1);
  }

  test('wait for it', async () => {
    const client = await connect(await startSlow());
    const subscribed = await answers(
      client,
      () => client.subscribe('#server-to-user-ann'),
      () => client.askFor('presence-room'),
    );
    expect(subscribed.sort()).toEqual([
      frames.subscribed('#server-to-user-ann'),
      frames.presence('presence-room', [['ann', null]]),
    ]);
  });

  test('may be as many as the app allows', async () => {
    const client = await connect(await startSlow({ subscriptionsPerConnection: 2 }));
    const answered = await answers(client, ...['a', 'b', 'c'].map((name) => () => client.subscribe(name)));
    expect(answered.sort()).toEqual([
      frames.subscriptionError(
        'c',
        'LimitReached',
        'This connection has 2 subscriptions already',
        409,
        'too_many_subscriptions',
      ),
      frames.subscribed('a'),
      frames.subscribed('b'),
    ]);
  });

  test('are answered one after the other in one channel, the wrong ones too', async () => {
    const client = await connect(await startSlow());
    const wrong = () => client.subscribe('private-a', { auth: `${APP.key}:${'0'.repeat(64)}` });
    const refusal = frames.subscriptionError(
      'private-a',
      'AuthError',
      'Invalid signature',
      401,
      'invalid_signature',
    );
    expect(await answers(client, () => client.askFor('private-a'), wrong, wrong)).toEqual([
      frames.subscribed('private-a'),
      refusal,
      refusal,
    ]);
  });
});

test('a user goes offline with a connection that ends during a second sign-in', async () => {
  const broker = await startServer();
  const client = new RawClient(broker);
  client.upgrade();
  const established = await client.next();
  if (typeof established !== 'object' || !('payload' in established)) throw new Error('Not established');
  const { socket_id: socketId } = JSON.parse(JSON.parse(established.payload).data);
  const data = { auth: authenticate(socketId, '{"id":"ann"}'), user_data: '{"id":"ann"}' };
  const signIn = frameOf({ payload: JSON.stringify({ event: 'pusher:signin', data }) });
  client.send(signIn);
  expect(await client.next()).toMatchObject({ payload: frames.signedIn('{"id":"ann"}') });

  client.send(signIn, frameOf({ opcode: opcodes.binary }));
  expect(await client.closed()).toMatchObject({ code: 1003 });
  expect((await request(broker, 'GET', '/users')).body).toEqual({ users: [] });
});
