import { randomBytes } from 'node:crypto';
import { Countersign } from '@countersign/sdk-server';
import { type AuthRouterOptions, type AuthUser, authRouter, policy } from '@countersign/sdk-server/express';
import { channelText, userText, verify } from '@countersign/sdk-server/signature';
import express, { type RequestHandler } from 'express';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { keepLines } from '../helpers/attempt-log.ts';
import { listen } from '../helpers/brokers/recorder.ts';
import { app as example, MASTER_KEY } from '../packages/vectors.ts';

const countersign = new Countersign({
  appId: example.id,
  key: example.key,
  secret: example.secret,
  encryptionMasterKeyBase64: MASTER_KEY,
});
const SECRET = `whsec_${randomBytes(32).toString('base64')}`;

const USERS: ReadonlyMap<string, AuthUser> = new Map([
  ['ann', { id: 'ann', info: { name: 'Ann' } }],
  ['7', { id: 7 }],
]);

const rules: AuthRouterOptions<AuthUser> = {
  user: (req) => USERS.get(req.get('x-user') ?? ''),
  canAccess: (_, channel) => !channel.includes('closed'),
  userById: async (id) => USERS.get(id),
  renewalSecret: SECRET,
};

async function serve(options: Partial<AuthRouterOptions<AuthUser>> = {}, ...before: RequestHandler[]) {
  const logger = keepLines();
  const app = express();
  for (const handler of before) app.use(handler);
  app.use('/countersign', authRouter(countersign, { ...rules, logger, ...options }));
  const url = `http://127.0.0.1:${await listen(app)}/countersign`;

  async function post(path: string, body: string, headers: Record<string, string> = {}) {
    const response = await fetch(url + path, { method: 'POST', body, headers });
    return { status: response.status, body: (await response.json().catch(() => null)) as never };
  }
  /** Asks as the broker does: signed by the official library of Standard Webhooks. */
  const renew = (grants: unknown, { secret = SECRET, sentAt = new Date() } = {}) => {
    const body = JSON.stringify({ type: 'grants.renew', grants });
    return post('/renew', body, {
      'content-type': 'application/json',
      'webhook-id': 'msg-1',
      'webhook-timestamp': String(Math.floor(sentAt.getTime() / 1000)),
      'webhook-signature': new Webhook(secret).sign('msg-1', sentAt, body),
    });
  };
  const ask = (channel_name: string, user = 'ann') =>
    post('/auth', String(new URLSearchParams({ socket_id: '1.2', channel_name })), {
      'content-type': 'application/x-www-form-urlencoded',
      'x-user': user,
    }) as Promise<{ status: number; body: { auth: string; channel_data?: string } }>;
  return { post, renew, ask, lines: logger.lines };
}

const ending = (channel: string, user_id: string | null = 'ann') => ({
  socket_id: '1.2',
  channel,
  user_id,
  grant_id: 'g-1',
  expires_at: 1_795_000_900,
  channel_data: null,
});

const signatureOf = (auth: string) => auth.slice(example.key.length + 1);

/** The claims of signed data, of which the moment and the id are not known. */
const claims = (seconds: number, more: object = {}) => ({
  id: expect.stringMatching(/^[\w-]{1,64}$/),
  iat: expect.any(Number),
  exp: expect.any(Number),
  seconds,
  ...more,
});

/** Signed data with the life of its claims. */
function read(text: string | undefined) {
  const { countersign: found, ...data } = JSON.parse(text ?? '{}') as {
    countersign: { iat: number; exp: number };
  };
  return { ...data, countersign: { ...found, seconds: found.exp - found.iat } };
}

describe('what the router grants', () => {
  test('ends after 15 minutes, and says whom it is for', async () => {
    const { ask } = await serve();
    const [room, lobby, secret] = [
      await ask('private-a'),
      await ask('presence-a'),
      await ask('private-encrypted-a'),
    ];
    expect(read(room.body.channel_data)).toEqual({ countersign: claims(900, { user: 'ann' }) });
    expect(read(lobby.body.channel_data)).toEqual({
      user_id: 'ann',
      user_info: { name: 'Ann' },
      countersign: claims(900),
    });
    expect(read(secret.body.channel_data)).toEqual({ countersign: claims(900, { user: 'ann' }) });
    expect(read((await ask('private-a', '7')).body.channel_data)).toMatchObject({
      countersign: { user: '7' },
    });
  });

  test('ends when grantSeconds are over, or never', async () => {
    const short = await serve({ grantSeconds: 60 });
    expect(read((await short.ask('private-a')).body.channel_data)).toMatchObject({
      countersign: { seconds: 60 },
    });
    const endless = await serve({ grantSeconds: null });
    expect((await endless.ask('private-a')).body).toEqual(countersign.authorizeChannel('1.2', 'private-a'));
  });

  test('a sign-in ends when signInSeconds are over, or with its connection', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'x-user': 'ann' };
    const signIn = async (options: Partial<AuthRouterOptions<AuthUser>>) =>
      (await (await serve(options)).post('/user-auth', 'socket_id=1.2', headers)).body as {
        user_data: string;
      };
    expect(read((await signIn({ signInSeconds: 60 })).user_data)).toMatchObject({
      id: 'ann',
      countersign: { seconds: 60 },
    });
    expect(await signIn({})).toEqual(
      countersign.authenticateUser('1.2', { id: 'ann', user_info: { name: 'Ann' } }),
    );
  });

  test('is narrowed by the policy of its pattern', async () => {
    const { canAccess } = policy<AuthUser>()
      .channel('private-ticker-{market}', () => true, { ttl: 30, may: ['subscribe'], rate: 2, once: true })
      .channel('private-endless-{name}', () => true, { ttl: null })
      .channel('private-refused-{name}', () => false, { ttl: 30 })
      .channel('private-room-{name}', () => true);
    const { ask } = await serve({ canAccess });
    expect(read((await ask('private-ticker-x')).body.channel_data)).toEqual({
      countersign: claims(30, { user: 'ann', may: ['subscribe'], rate: 2, once: true }),
    });
    expect((await ask('private-endless-x')).body).toEqual(
      countersign.authorizeChannel('1.2', 'private-endless-x'),
    );
    expect((await ask('private-refused-x')).status).toBe(403);
    expect(read((await ask('private-room-x')).body.channel_data)).toMatchObject({
      countersign: { seconds: 900 },
    });
  });

  test('is narrowed by canAccess, and refused where that says something unknown', async () => {
    const canAccess: AuthRouterOptions<AuthUser>['canAccess'] = (_, channel) =>
      channel === 'private-a'
        ? { allow: true, may: ['subscribe'] }
        : ({ allow: true, mya: ['subscribe'] } as never);
    const { ask } = await serve({ canAccess });
    expect(read((await ask('private-a')).body.channel_data)).toMatchObject({
      countersign: { may: ['subscribe'] },
    });
    expect((await ask('private-b')).status).toBe(500);
  });

  test.each([{ ttl: 30 }, { allow: 'yes' }, { allow: 1, ttl: 30 }, [true]])(
    '%j grants nothing',
    async (access) => {
      const { ask } = await serve({ canAccess: () => access as never });
      expect((await ask('private-a')).status).toBe(403);
    },
  );

  test('names a user on no channel where the id is longer than claims hold', async () => {
    const { ask } = await serve({ user: () => ({ id: 'x'.repeat(129) }) });
    expect(read((await ask('private-a')).body.channel_data)).toEqual({ countersign: claims(900) });
  });

  test.each([{ ttl: 0 }, { mya: [] }, { once: true, ttl: null }])('a policy refuses %j at once', (terms) => {
    expect(() => policy<AuthUser>().channel('private-a', () => true, terms as object)).toThrow(
      expect.objectContaining({ code: 'invalid_grant' }),
    );
  });
});

describe('POST /renew', () => {
  test('grants anew what is asked, in this order', async () => {
    const { renew, lines } = await serve();
    const asked = [
      ending('private-a'),
      ending('presence-a'),
      ending('private-closed'),
      ending('private-b', 'bob'),
    ];
    const { status, body } = await renew(asked);
    const { grants } = body as {
      grants: { status: number; auth: string; channel_data: string; reason: string }[];
    };
    expect(status).toBe(200);
    expect(grants.map((each) => each.status)).toEqual([200, 200, 403, 403]);
    const [room, lobby, closed, gone] = grants;
    expect(
      verify(example.secret, channelText('1.2', 'private-a', room!.channel_data), signatureOf(room!.auth)),
    ).toBe(true);
    expect(read(room!.channel_data)).toEqual({ countersign: claims(900, { user: 'ann' }) });
    expect(read(lobby!.channel_data)).toMatchObject({ user_id: 'ann', countersign: { seconds: 900 } });
    expect(closed).toEqual({ status: 403, reason: 'You may not join this channel' });
    expect(gone).toEqual({ status: 403, reason: 'There is no such user any more' });
    expect(lines).toHaveLength(4);
    for (const line of [
      { level: 'info', outcome: 'granted', channel: 'private-a', userId: 'ann', socketId: '1.2' },
      { level: 'warn', outcome: 'refused', status: 403, channel: 'private-closed' },
      { level: 'warn', outcome: 'refused', status: 403, userId: 'bob' },
    ])
      expect(lines).toContainEqual(expect.objectContaining(line));
  });

  test('signs in anew', async () => {
    const { renew } = await serve({ signInSeconds: 900 });
    const signIn = { socket_id: '1.2', user_id: '7', user_data: '{"id":"7"}', grant_id: 'g', expires_at: 1 };
    const { grants } = (await renew([signIn])).body as { grants: { auth: string; user_data: string }[] };
    const [{ auth, user_data: data }] = grants as [{ auth: string; user_data: string }];
    expect(verify(example.secret, userText('1.2', data), signatureOf(auth))).toBe(true);
    expect(read(data)).toEqual({ id: '7', countersign: claims(900) });
  });

  test('keeps the keys of encrypted channels from the broker', async () => {
    const { renew } = await serve();
    const { grants } = (await renew([ending('private-encrypted-a')])).body as { grants: object[] };
    expect(Object.keys(grants[0]!).sort()).toEqual(['auth', 'channel_data', 'status']);
  });

  test('refuses a grant that names no user', async () => {
    const { renew } = await serve();
    expect((await renew([ending('private-a', null)])).body).toEqual({
      grants: [{ status: 403, reason: 'The grant names no user' }],
    });
  });

  test('is a failure for what throws, and only for that', async () => {
    const { renew, lines } = await serve({
      canAccess: (_, channel) => {
        if (channel === 'private-fire') throw new Error('the database is on fire');
        return true;
      },
    });
    const { body } = await renew([ending('private-fire'), ending('private-a'), ending('news')]);
    expect(body).toMatchObject({ grants: [{ status: 500 }, { status: 200 }, { status: 500 }] });
    expect(lines).toContainEqual(expect.objectContaining({ level: 'error', channel: 'private-fire' }));
  });

  test('looks each user up once', async () => {
    const asked: string[] = [];
    const { renew } = await serve({
      userById: (id) => {
        asked.push(id);
        return USERS.get(id);
      },
    });
    await renew([ending('private-a'), ending('private-b'), ending('private-c', '7')]);
    expect(asked).toEqual(['ann', '7']);
  });

  test('accepts each of several secrets while they are changed', async () => {
    const next = `whsec_${randomBytes(24).toString('base64')}`;
    const { renew } = await serve({ renewalSecret: [SECRET, next] });
    expect((await renew([ending('private-a')])).status).toBe(200);
    expect((await renew([ending('private-a')], { secret: next })).status).toBe(200);
  });

  test('is for the broker only', async () => {
    const { post, renew, lines } = await serve();
    const body = JSON.stringify({ type: 'grants.renew', grants: [ending('private-a')] });
    expect(await post('/renew', body)).toEqual({
      status: 401,
      body: { code: 'bad_signature', error: 'Only the broker may ask: the signature is not valid' },
    });
    const forged = await renew([ending('private-a')], {
      secret: `whsec_${randomBytes(32).toString('base64')}`,
    });
    expect(forged.status).toBe(401);
    for (const seconds of [-301, 301]) {
      const stale = await renew([ending('private-a')], { sentAt: new Date(Date.now() + seconds * 1000) });
      expect(stale).toMatchObject({ status: 401, body: { code: 'stale' } });
    }
    expect(lines.every(({ outcome }) => outcome === 'refused')).toBe(true);
  });

  test.each<[what: string, grants: unknown]>([
    ['no list', {}],
    ['an empty list', []],
    ['a list of texts', ['private-a']],
    ['more than 200', Array.from({ length: 201 }, () => ending('private-a'))],
  ])('400 for %s', async (_, grants) => {
    const { renew } = await serve();
    expect(await renew(grants)).toMatchObject({ status: 400, body: { code: 'malformed' } });
  });

  test('reads raw bytes behind a parser that keeps them, and says what is wrong behind another', async () => {
    const kept = await serve({}, express.raw({ type: () => true }));
    expect((await kept.renew([ending('private-a')])).status).toBe(200);
    const parsed = await serve({}, express.json());
    expect(await parsed.renew([ending('private-a')])).toMatchObject({
      status: 500,
      body: { code: 'body_was_parsed' },
    });
  });

  test('is not limited by address, and is where paths says', async () => {
    const { renew } = await serve({ rateLimit: { limit: 1 } });
    for (let n = 0; n < 3; n++) expect((await renew([ending('private-a')])).status).toBe(200);
    const elsewhere = await serve({ paths: { renew: '/again' } });
    expect((await elsewhere.post('/again', '{}')).status).toBe(401);
    expect((await elsewhere.renew([ending('private-a')])).status).toBe(404);
  });

  test('does not exist without userById', async () => {
    const { renew } = await serve({ userById: undefined, renewalSecret: undefined });
    expect((await renew([ending('private-a')])).status).toBe(404);
  });

  test.each<[what: string, options: object, message: RegExp]>([
    ['userById without the secret', { renewalSecret: undefined }, /need each other/],
    ['the secret without userById', { userById: undefined }, /need each other/],
    ['a secret that is none', { renewalSecret: 'secret' }, /^renewalSecret must be "whsec_"/],
    ['a short secret', { renewalSecret: 'whsec_c2hvcnQ=' }, /^renewalSecret/],
    ['no secrets', { renewalSecret: [] }, /^renewalSecret/],
    ['userById that is no function', { userById: 'ann' }, /^userById/],
    ['no seconds', { grantSeconds: 0 }, /^grantSeconds/],
    ['seconds as text', { grantSeconds: '900' }, /^grantSeconds/],
    ['half a second of a sign-in', { signInSeconds: 0.5 }, /^signInSeconds/],
  ])('%s is refused when the router is created', (_, options, message) => {
    expect(() => authRouter(countersign, { ...rules, ...options })).toThrow(
      expect.objectContaining({ code: 'invalid_options', message: expect.stringMatching(message) }),
    );
  });
});
