import { Countersign } from '@countersign/sdk-server';
import {
  type AuthRouterOptions,
  type AuthUser,
  authRouter,
  type WebhookRouterOptions,
  webhookRouter,
} from '@countersign/sdk-server/express';
import express, { type RequestHandler } from 'express';
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

const ann: AuthUser = { id: 'ann', info: { name: 'Ann' }, watchlist: ['bob'] };

/** A user by header, who may join channels with their name in it. */
const rules: AuthRouterOptions<AuthUser> = {
  user: (req) => (req.get('authorization') === 'ann' ? ann : null),
  canAccess: async (user, channel) => channel.includes(String(user.id)),
  // Signatures without an end are equal wherever they are made.
  grantSeconds: null,
};

interface Answer {
  readonly status: number;
  readonly body: Record<string, string>;
  readonly headers: Headers;
}

/** An app with the router mounted; `ask` posts to it as Ann. */
async function serve(options: Partial<AuthRouterOptions<AuthUser>> = {}, ...before: RequestHandler[]) {
  const logger = keepLines();
  const app = express();
  for (const handler of before) app.use(handler);
  app.use('/countersign', authRouter(countersign, { ...rules, logger, ...options }));
  const port = await listen(app);
  async function ask(
    path: string,
    body: RequestInit['body'],
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const url = `http://127.0.0.1:${port}/countersign${path}`;
    const response = await fetch(url, {
      method: 'POST',
      body: body ?? null,
      headers: { authorization: 'ann', ...headers },
    });
    return {
      status: response.status,
      body: (await response.json()) as Answer['body'],
      headers: response.headers,
    };
  }
  return { ask, lines: logger.lines };
}

const form = (fields: Record<string, string>) => new URLSearchParams(fields);
const request = (channel_name: string) => form({ socket_id: '1.2', channel_name });
const JSON_TYPE = { 'content-type': 'application/json' };

describe('channel authorization', () => {
  test('grants a private channel', async () => {
    const { ask, lines } = await serve();
    const { status, body, headers } = await ask('/auth', request('private-ann'));
    expect({ status, body }).toEqual({
      status: 200,
      body: countersign.authorizeChannel('1.2', 'private-ann'),
    });
    expect(headers.get('cache-control')).toBe('no-store');
    expect(lines).toEqual([
      {
        level: 'info',
        text: 'channel authorization',
        address: '127.0.0.1',
        socketId: '1.2',
        channel: 'private-ann',
        userId: 'ann',
        outcome: 'granted',
        status: 200,
      },
    ]);
    expect(JSON.stringify(lines)).not.toContain(body['auth']!.split(':')[1]);
  });

  test('grants a presence channel with id and info of the user', async () => {
    const { ask } = await serve();
    const { body } = await ask('/auth', request('presence-ann'));
    expect(body['channel_data']).toBe('{"user_id":"ann","user_info":{"name":"Ann"}}');
  });

  test('grants a presence channel with what member tells', async () => {
    const { ask } = await serve({ member: async (user, channel) => ({ user_id: `${user.id}@${channel}` }) });
    const { body } = await ask('/auth', request('presence-ann'));
    expect(body['channel_data']).toBe('{"user_id":"ann@presence-ann"}');
  });

  test('grants an encrypted channel with its secret', async () => {
    const { ask } = await serve();
    const { body } = await ask('/auth', request('private-encrypted-ann'));
    expect(body).toEqual(countersign.authorizeChannel('1.2', 'private-encrypted-ann'));
    expect(body['shared_secret']).toHaveLength(44);
  });

  test('reads forms and JSON, also where a parser ran before', async () => {
    const json = JSON.stringify({ socket_id: '1.2', channel_name: 'private-ann' });
    const parsers = [
      [],
      [express.json()],
      [express.urlencoded({ extended: true })],
      [express.json(), express.urlencoded()],
    ];
    for (const before of parsers) {
      const { ask } = await serve({}, ...before);
      expect((await ask('/auth', request('private-ann'))).status).toBe(200);
      expect((await ask('/auth', json, JSON_TYPE)).status).toBe(200);
    }
  });

  test('401 without a user', async () => {
    const { ask, lines } = await serve();
    const { status, body } = await ask('/auth', request('private-ann'), { authorization: '' });
    expect({ status, body }).toEqual({
      status: 401,
      body: { error: 'Sign in first', code: 'not_signed_in' },
    });
    expect(lines).toMatchObject([{ level: 'warn', outcome: 'refused', status: 401, channel: 'private-ann' }]);
  });

  test.each([false, undefined, null, 1, 'true', {}, Promise.resolve('yes')])(
    '403 where canAccess says %j',
    async (says) => {
      const { ask, lines } = await serve({ canAccess: () => says as boolean });
      const { status, body } = await ask('/auth', request('private-ann'));
      expect({ status, code: body['code'] }).toEqual({ status: 403, code: 'forbidden' });
      expect(body).not.toHaveProperty('auth');
      expect(lines).toMatchObject([{ level: 'warn', outcome: 'refused', status: 403, userId: 'ann' }]);
    },
  );

  const malformed: [
    what: string,
    body: RequestInit['body'],
    headers: Record<string, string>,
    code: string,
  ][] = [
    ['a bad socket id', form({ socket_id: '1.2:x', channel_name: 'private-ann' }), {}, 'invalid_socket_id'],
    ['no socket id', form({ channel_name: 'private-ann' }), {}, 'invalid_socket_id'],
    ['a bad channel name', request('private-ann:x'), {}, 'invalid_channel'],
    ['a public channel', request('ann'), {}, 'invalid_channel'],
    ['the channel of a user', request('#server-to-user-ann'), {}, 'invalid_channel'],
    ['no channel', form({ socket_id: '1.2' }), {}, 'invalid_channel'],
    [
      'fields in the prototype',
      '{"__proto__":{"socket_id":"1.2","channel_name":"private-ann"}}',
      JSON_TYPE,
      'invalid_socket_id',
    ],
    ['broken JSON', '{"socket_id":', JSON_TYPE, 'malformed'],
    ['a list', '[]', JSON_TYPE, 'malformed'],
    ['plain text', 'socket_id=1.2', { 'content-type': 'text/plain' }, 'malformed'],
    ['nothing', null, {}, 'malformed'],
  ];

  test.each(malformed)('400 for %s, before anyone is asked', async (_, sent, headers, code) => {
    const { ask, lines } = await serve({
      user: () => {
        throw new Error('asked');
      },
    });
    const { status, body } = await ask('/auth', sent, headers);
    expect({ status, code: body['code'] }).toEqual({ status: 400, code });
    expect(lines).toMatchObject([{ level: 'warn', outcome: 'refused', status: 400, code }]);
  });

  test('413 for a body that is too large', async () => {
    const { ask } = await serve();
    expect((await ask('/auth', form({ socket_id: '1'.repeat(140_000) }))).status).toBe(413);
  });

  const failing: [what: string, options: Partial<AuthRouterOptions<AuthUser>>][] = [
    ['user throws', { user: () => Promise.reject(new Error('the database is on fire')) }],
    [
      'user throws an error with a status',
      { user: () => Promise.reject(Object.assign(new Error('fire'), { status: 401 })) },
    ],
    [
      'canAccess throws',
      {
        canAccess: () => {
          throw new Error('the database is on fire');
        },
      },
    ],
    [
      'member throws',
      {
        member: () => {
          throw new Error('the database is on fire');
        },
      },
    ],
    ['member answers nothing', { member: () => undefined as never }],
    ['member answers somebody without an id', { member: () => ({}) as never }],
  ];

  test.each(failing)('500 without detail where %s', async (_, options) => {
    const { ask, lines } = await serve(options);
    const { status, body } = await ask('/auth', request('presence-ann'));
    expect({ status, body }).toEqual({
      status: 500,
      body: { error: 'Internal error', code: 'internal_error' },
    });
    expect(lines).toMatchObject([{ level: 'error', outcome: 'failed', status: 500, err: expect.any(Error) }]);
  });

  test('429 past the limit, which both routes share', async () => {
    const { ask, lines } = await serve({ rateLimit: { limit: 2 } });
    expect((await ask('/auth', request('private-ann'))).status).toBe(200);
    expect((await ask('/user-auth', form({ socket_id: '1.2' }))).status).toBe(200);
    const { status, body, headers } = await ask('/auth', request('private-ann'));
    expect({ status, code: body['code'] }).toEqual({ status: 429, code: 'too_many_requests' });
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(lines.at(-1)).toMatchObject({
      level: 'warn',
      outcome: 'refused',
      status: 429,
      address: '127.0.0.1',
    });
  });

  test('100 requests a minute by default, and any number without a limit', async () => {
    const limited = await serve();
    const free = await serve({ rateLimit: false });
    const counts = { limited: 0, free: 0 };
    for (let n = 0; n < 101; n++) {
      if ((await limited.ask('/auth', request('private-ann'))).status === 200) counts.limited++;
      if ((await free.ask('/auth', request('private-ann'))).status === 200) counts.free++;
    }
    expect(counts).toEqual({ limited: 100, free: 101 });
  });

  test('serves other paths where they are given', async () => {
    const { ask } = await serve({ paths: { channel: '/channels', user: '/users' } });
    expect((await ask('/channels', request('private-ann'))).status).toBe(200);
    expect((await ask('/users', form({ socket_id: '1.2' }))).status).toBe(200);
  });

  test('infers the type of the user from the result of user', async () => {
    const canAccess = (user: { groups: string[] }) => user.groups.includes('editors');
    authRouter(countersign, { user: () => ({ id: 'ann', groups: [] }), canAccess });
    authRouter(countersign, {
      user: async (req) => (req.ip ? { id: 'ann', groups: ['editors'] } : undefined),
      canAccess: (user, channel) => user.groups.includes(channel),
      member: (user) => ({ user_id: user.id, user_info: { groups: user.groups } }),
    });
    // @ts-expect-error the user has no groups
    authRouter(countersign, { user: () => ann, canAccess });
    // @ts-expect-error a user needs an id
    authRouter(countersign, { user: () => ({}), canAccess: () => true });
  });

  test('leaves what is not its own to the app', async () => {
    const app = express();
    app.use('/countersign', authRouter(countersign, rules));
    app.use((_, res) => void res.status(404).send('of the app'));
    const port = await listen(app);
    const response = await fetch(`http://127.0.0.1:${port}/countersign/auth`);
    expect(await response.text()).toBe('of the app');
  });
});

describe('a batch', () => {
  const refused = { status: 403, error: 'You may not join this channel', code: 'forbidden' };
  const failed = { status: 500, error: 'Internal error', code: 'internal_error' };
  const malformed = { status: 400, error: expect.any(String), code: 'invalid_channel' };
  const granted = (channel: string) => ({ status: 200, data: countersign.authorizeChannel('1.2', channel) });

  const forms: [what: string, body: RequestInit['body'], headers?: Record<string, string>][] = [
    [
      'numbered fields',
      'socket_id=1.2&channel_name%5B0%5D=private-ann&channel_name[1]=private-bob',
      { 'content-type': 'application/x-www-form-urlencoded' },
    ],
    [
      'fields with brackets',
      'socket_id=1.2&channel_name[]=private-ann&channel_name[]=private-bob',
      { 'content-type': 'application/x-www-form-urlencoded' },
    ],
    [
      'a repeated field',
      new URLSearchParams([
        ['socket_id', '1.2'],
        ['channel_name', 'private-ann'],
        ['channel_name', 'private-bob'],
      ]),
    ],
    ['JSON', '{"socket_id":"1.2","channel_name":["private-ann","private-bob"]}', JSON_TYPE],
  ];

  test.each(forms)('in %s is answered for each channel', async (_, sent, headers) => {
    for (const before of [[], [express.urlencoded({ extended: true }), express.json()]]) {
      const { ask } = await serve({}, ...before);
      const { status, body } = await ask('/auth', sent, headers);
      expect({ status, body }).toEqual({
        status: 200,
        body: { 'private-ann': granted('private-ann'), 'private-bob': refused },
      });
    }
  });

  const batch = (channels: unknown) => JSON.stringify({ socket_id: '1.2', channel_name: channels });

  test('of one channel is answered as a batch', async () => {
    const { ask } = await serve();
    const { body } = await ask('/auth', batch(['private-ann']), JSON_TYPE);
    expect(body).toEqual({ 'private-ann': granted('private-ann') });
  });

  test('fails for each channel alone, and each has its line in the log', async () => {
    const { ask, lines } = await serve({
      canAccess: (_, channel) => {
        if (channel === 'private-fire') throw new Error('the database is on fire');
        return channel !== 'private-closed';
      },
      member: () => ({ user_id: '' }),
    });
    const names = ['private-ann', 'private-closed', 'private-fire', 'presence-nobody', 'news', 'private-a:b'];
    const { status, body } = await ask('/auth', batch(names), JSON_TYPE);
    expect(status).toBe(200);
    expect(body).toEqual({
      'private-ann': granted('private-ann'),
      'private-closed': refused,
      'private-fire': failed,
      'presence-nobody': failed,
      news: malformed,
      'private-a:b': malformed,
    });
    const attempt = { text: 'channel authorization', address: '127.0.0.1', socketId: '1.2', userId: 'ann' };
    expect(lines.filter(({ level }) => level === 'info')).toEqual([
      { ...attempt, level: 'info', channel: 'private-ann', outcome: 'granted', status: 200 },
    ]);
    expect(lines.map(({ status }) => status).sort()).toEqual([200, 400, 400, 403, 500, 500]);
  });

  test('asks for the user once, and decides on all channels at the same time', async () => {
    const names = Array.from({ length: 40 }, (_, n) => `private-${n}`);
    let users = 0;
    let waiting = 0;
    let decide: (may: boolean) => void;
    const decision = new Promise<boolean>((resolve) => {
      decide = resolve;
    });
    const { ask } = await serve({
      user: () => {
        users += 1;
        return ann;
      },
      canAccess: () => {
        waiting += 1;
        if (waiting === names.length) decide(true);
        return decision;
      },
    });
    const { body } = await ask('/auth', batch(names), JSON_TYPE);
    expect(Object.keys(body)).toEqual(names);
    expect(users).toBe(1);
  });

  test('asks about a channel that is named twice once', async () => {
    const asked: string[] = [];
    const { ask } = await serve({ canAccess: (_, channel) => asked.push(channel) > 0 });
    await ask('/auth', batch(['private-ann', 'private-ann']), JSON_TYPE);
    expect(asked).toEqual(['private-ann']);
  });

  test('names channels like any other, whatever they are called', async () => {
    const { ask } = await serve();
    const { body } = await ask('/auth', batch(['__proto__', 'private-ann', 'constructor']), JSON_TYPE);
    const statuses = Object.entries<unknown>(body).map(([name, entry]) => ({ name, entry }));
    expect(statuses).toMatchObject([
      { name: '__proto__', entry: { status: 400 } },
      { name: 'private-ann', entry: { status: 200 } },
      { name: 'constructor', entry: { status: 400 } },
    ]);
  });

  test('counts as one request towards the limit', async () => {
    const { ask } = await serve({ rateLimit: { limit: 1 } });
    expect((await ask('/auth', batch(['private-ann', 'private-bob']), JSON_TYPE)).status).toBe(200);
    expect((await ask('/auth', batch(['private-ann']), JSON_TYPE)).status).toBe(429);
  });

  const names = (count: number) => Array.from({ length: count }, (_, n) => `private-ann-${n}`);
  const wholes: [what: string, sent: string, status: number, code: string | undefined][] = [
    ['200 channels', batch(names(200)), 200, undefined],
    ['200 channels with long names', batch(names(200).map((name) => name.padEnd(200, '-'))), 200, undefined],
    ['201 channels', batch(names(201)), 400, 'invalid_channel'],
    ['no channels', batch([]), 400, 'invalid_channel'],
    ['a channel that is not text', batch(['private-ann', 7]), 400, 'invalid_channel'],
    ['a list in the list', batch([['private-ann']]), 400, 'invalid_channel'],
    ['a bad socket id', '{"socket_id":"1.2:x","channel_name":["private-ann"]}', 400, 'invalid_socket_id'],
  ];

  test.each(wholes)('with %s is answered with %i as a whole', async (_, sent, status, code) => {
    const { ask } = await serve();
    const answer = await ask('/auth', sent, JSON_TYPE);
    expect({ status: answer.status, code: answer.body['code'] }).toEqual({ status, code });
  });

  test('without a user, or where nobody can tell, is refused as a whole', async () => {
    const { ask, lines } = await serve();
    const sent = batch(['private-ann', 'private-bob']);
    const nobody = await ask('/auth', sent, { ...JSON_TYPE, authorization: '' });
    expect(nobody).toMatchObject({ status: 401, body: { code: 'not_signed_in' } });
    expect(lines).toMatchObject([{ level: 'warn', outcome: 'refused', status: 401, socketId: '1.2' }]);
    const failing = await serve({ user: () => Promise.reject(new Error('the database is on fire')) });
    expect((await failing.ask('/auth', sent, JSON_TYPE)).status).toBe(500);
  });
});

describe('user authentication', () => {
  test('signs the user in with info and watchlist', async () => {
    const { ask, lines } = await serve();
    const { status, body } = await ask('/user-auth', form({ socket_id: '1.2' }));
    const user = { id: 'ann', user_info: { name: 'Ann' }, watchlist: ['bob'] };
    expect({ status, body }).toEqual({ status: 200, body: countersign.authenticateUser('1.2', user) });
    expect(lines).toMatchObject([
      { level: 'info', text: 'user authentication', userId: 'ann', outcome: 'granted' },
    ]);
  });

  test('401 without a user, 400 without a socket id, 500 for a user that cannot be', async () => {
    const { ask } = await serve();
    expect((await ask('/user-auth', form({ socket_id: '1.2' }), { authorization: '' })).status).toBe(401);
    expect((await ask('/user-auth', form({ socket_id: '1.2\n' }))).status).toBe(400);
    const wrong = await serve({ user: () => ({ id: 'a/b' }) });
    expect((await wrong.ask('/user-auth', form({ socket_id: '1.2' }))).status).toBe(500);
  });
});

describe('origins', () => {
  const APP = 'https://app.example.com';
  const preflight = (port: number, origin: string) =>
    fetch(`http://127.0.0.1:${port}/countersign/auth`, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'x-csrf-token',
      },
    });

  test('of the app may ask with cookies and any header, and read refusals; others may not', async () => {
    const { ask } = await serve({ origins: [APP], rateLimit: { limit: 1, windowSeconds: 60 } });
    const sent = 'socket_id=1.2&channel_name=private-ann';
    for (const status of [200, 429]) {
      const { headers, ...answer } = await ask('/auth', new URLSearchParams(sent), { origin: APP });
      expect(answer.status).toBe(status);
      expect(headers.get('access-control-allow-origin')).toBe(APP);
      expect(headers.get('access-control-allow-credentials')).toBe('true');
      expect(headers.get('access-control-expose-headers')).toBe('Retry-After');
      expect(headers.get('vary')).toContain('Origin');
    }
    const { headers } = await ask('/user-auth', new URLSearchParams(sent), { origin: `${APP}.evil.example` });
    expect(headers.get('access-control-allow-origin')).toBeNull();
    expect(headers.get('vary')).toContain('Origin');
  });

  test('get an answer to their preflights, which count for no limit', async () => {
    const app = express();
    app.use('/countersign', authRouter(countersign, { ...rules, origins: [APP] }));
    const port = await listen(app);
    const allowed = await preflight(port, APP);
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get('access-control-allow-methods')).toBe('POST');
    expect(allowed.headers.get('access-control-allow-headers')).toBe('x-csrf-token');
    expect((await preflight(port, 'null')).headers.get('access-control-allow-origin')).toBeNull();
  });

  test.each(['*', 'app.example.com', `${APP}/`, `${APP}/path`, 'ws://app.example.com', 7])(
    '%s is not one',
    (origin) => {
      expect(() => authRouter(countersign, { ...rules, origins: [origin as string] })).toThrow(
        /is not an origin/,
      );
    },
  );

  test('are a list that is not empty', () => {
    expect(() => authRouter(countersign, { ...rules, origins: [] })).toThrow('origins must be a list');
    expect(() => authRouter(countersign, { ...rules, origins: APP as never })).toThrow(
      'origins must be a list',
    );
  });
});

test('a router without the functions that it needs is not mounted', () => {
  const mount = (options: unknown) => () => authRouter(countersign, options as AuthRouterOptions<AuthUser>);
  const refusal = expect.objectContaining({ code: 'invalid_options' });
  const wrong = [
    undefined,
    {},
    { canAccess: rules.canAccess },
    { user: rules.user },
    { ...rules, canAcess: () => true },
  ];
  for (const options of wrong) expect(mount(options)).toThrow(refusal);
  expect(() => webhookRouter(countersign, {} as WebhookRouterOptions)).toThrow(refusal);
  expect(() => webhookRouter(countersign, { onEvents() {}, onEvent() {} } as WebhookRouterOptions)).toThrow(
    refusal,
  );
});
