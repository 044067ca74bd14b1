/** How the routers read what arrives, on both versions of Express, behind any parser, and from whom. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest, type Server } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Countersign, sign } from '@countersign/sdk-server';
import * as routers from '@countersign/sdk-server/express';
import express5, { type Express, type Request, type RequestHandler } from 'express';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { AddressLimit } from '../../sdk-server/src/auth/address-limit.ts';
import { keepLines } from '../helpers/attempt-log.ts';
import { installBesideExpress4 } from '../helpers/beside-express-4.ts';
import { listen } from '../helpers/brokers/recorder.ts';
import { app as example } from '../packages/vectors.ts';

const countersign = new Countersign({ appId: example.id, key: example.key, secret: example.secret });
const granted = countersign.authorizeChannel('1.2', 'private-a');
const fields = { socket_id: '1.2', channel_name: 'private-a' };
const JSON_TYPE = { 'content-type': 'application/json' };

type Installed = Awaited<ReturnType<typeof installBesideExpress4>>;

const versions: [name: string, install: () => Promise<Installed> | Installed][] = [
  ['Express 5', () => ({ express: express5, sdk: routers })],
  ['Express 4, with another copy of the SDK', installBesideExpress4],
];

function multipart(pairs: [string, string | Blob][]): FormData {
  const form = new FormData();
  for (const [name, value] of pairs) form.append(name, value);
  return form;
}

describe.each(versions)('on %s', (_, install) => {
  async function site(before: (express: typeof express5) => RequestHandler[] = () => []) {
    const { express, sdk } = await install();
    const logger = keepLines();
    const app = express();
    for (const handler of before(express)) app.use(handler);
    app.use(
      '/c',
      sdk.authRouter(countersign, {
        user: () => ({ id: 'ann' }),
        canAccess: (_, channel) => channel !== 'private-b',
        grantSeconds: null,
        rateLimit: false,
        logger,
      }),
    );
    app.post('/by-post', sdk.webhookRouter(countersign, { onEvents() {}, logger }));
    app.use('/by-use', sdk.webhookRouter(countersign, { onEvents() {}, logger }));
    app.use(((error, _req, res, _next) => {
      res.status(500).json({ thrown: String(error) });
    }) as Parameters<Express['use']>[1] & ((error: unknown, ...rest: Parameters<RequestHandler>) => void));
    const url = `http://127.0.0.1:${await listen(app)}`;
    const post = async (
      path: string,
      body: RequestInit['body'],
      headers: Record<string, string> = {},
    ): Promise<{ status: number; body: unknown }> => {
      const response = await fetch(url + path, { method: 'POST', body: body ?? null, headers });
      const text = await response.text();
      return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : text };
    };
    return { post, lines: logger.lines };
  }

  const forms: [what: string, make: () => [RequestInit['body'], Record<string, string>?]][] = [
    ['a form', () => [new URLSearchParams(fields)]],
    ['JSON', () => [JSON.stringify(fields), JSON_TYPE]],
    [
      'JSON with a charset',
      () => [JSON.stringify(fields), { 'content-type': 'Application/JSON; charset=utf-8' }],
    ],
    ['multipart', () => [multipart(Object.entries(fields))]],
  ];
  const parsers: [what: string, make: (express: typeof express5) => RequestHandler[]][] = [
    ['no parser', () => []],
    ['express.raw()', (express) => [express.raw({ type: '*/*' })]],
    ['express.text()', (express) => [express.text({ type: '*/*' })]],
    ['express.json()', (express) => [express.json()]],
    [
      'express.json() and express.urlencoded()',
      (express) => [express.json(), express.urlencoded({ extended: true })],
    ],
  ];

  test('every form of request is read, behind any parser', async () => {
    for (const [parser, before] of parsers) {
      const { post } = await site(before);
      for (const [what, make] of forms) {
        const [body, headers] = make();
        expect({ parser, what, ...(await post('/c/auth', body, headers)) }).toEqual({
          parser,
          what,
          status: 200,
          body: granted,
        });
      }
    }
  });

  test('a batch is read from multipart', async () => {
    const { post } = await site();
    for (const names of [
      ['channel_name[]', 'channel_name[]'],
      ['channel_name[0]', 'channel_name[1]'],
      ['channel_name', 'channel_name'],
    ] as const) {
      const form = multipart([
        ['socket_id', '1.2'],
        [names[0], 'private-a'],
        [names[1], 'private-b'],
      ]);
      expect(await post('/c/auth', form)).toEqual({
        status: 200,
        body: {
          'private-a': { status: 200, data: granted },
          'private-b': { status: 403, error: 'You may not join this channel', code: 'forbidden' },
        },
      });
    }
  });

  test('reports a body that other middleware has consumed', async () => {
    const { post, lines } = await site(() => [
      (req, _res, next) => {
        req.resume().on('end', next);
      },
    ]);
    expect(await post('/c/auth', new URLSearchParams(fields))).toMatchObject({
      status: 500,
      body: { code: 'body_was_read', error: expect.stringContaining('body parser') },
    });
    expect(lines).toMatchObject([{ level: 'error', status: 500, code: 'body_was_read' }]);
  });

  const wrong: [what: string, make: () => [RequestInit['body'], Record<string, string>?], status: number][] =
    [
      [
        'a part that is a file',
        () => [
          multipart([
            ['socket_id', '1.2'],
            ['channel_name', new Blob(['private-a'])],
          ]),
        ],
        400,
      ],
      ['multipart without a boundary', () => ['x', { 'content-type': 'multipart/form-data' }], 400],
      ['multipart that is none', () => ['x', { 'content-type': 'multipart/form-data; boundary=x' }], 400],
      [
        'multipart that breaks off',
        () => [
          '--x\r\ncontent-disposition: form-data; name="socket_id"\r\n\r\n1.',
          { 'content-type': 'multipart/form-data; boundary=x' },
        ],
        400,
      ],
      ['multipart that is too large', () => [multipart([['socket_id', '1'.repeat(140_000)]])], 413],
      ['bytes that are no UTF-8', () => [Buffer.from([0x7b, 0xff, 0x7d]), JSON_TYPE], 400],
      ['nested lists', () => ['['.repeat(60_000), JSON_TYPE], 400],
      [
        'a type that is none of these',
        () => ['socket_id=1.2&channel_name=private-a', { 'content-type': 'text/plain' }],
        400,
      ],
    ];

  test('anything else is refused as the mistake of the sender', async () => {
    const { post, lines } = await site();
    for (const [what, make, status] of wrong) {
      const [body, headers] = make();
      expect({ what, ...(await post('/c/auth', body, headers)) }).toMatchObject({ what, status });
    }
    expect(lines.map(({ level }) => level)).toEqual(wrong.map(() => 'warn'));
  });

  test('a webhook is received where it is mounted, by use and by post', async () => {
    const { post } = await site();
    const body = JSON.stringify({ time_ms: Date.now(), events: [] });
    const headers = {
      ...JSON_TYPE,
      'x-pusher-key': example.key,
      'x-pusher-signature': sign(example.secret, body),
    };
    for (const path of ['/by-use', '/by-use/', '/by-post']) {
      expect({ path, ...(await post(path, body, headers)) }).toMatchObject({ path, status: 204 });
      // What went wrong is known by its code, whichever copy of the SDK found it.
      expect({ path, ...(await post(path, `${body} `, headers)) }).toMatchObject({
        path,
        status: 401,
        body: { code: 'bad_signature' },
      });
    }
    expect(await post('/by-use/below', body, headers)).toMatchObject({ status: 404 });
  });

  test('a logger that throws fails the request and nothing else', async () => {
    const { express, sdk } = await install();
    const fail = () => {
      throw new Error('the disk is full');
    };
    const logger = { info: fail, warn: fail, error: fail };
    const app = express();
    app.use('/c', sdk.authRouter(countersign, { user: () => null, canAccess: () => true, logger }));
    app.use('/h', sdk.webhookRouter(countersign, { onEvents() {}, logger }));
    app.set('env', 'test');
    const url = `http://127.0.0.1:${await listen(app)}`;
    for (const path of ['/c/auth', '/h'])
      expect((await fetch(url + path, { method: 'POST', body: new URLSearchParams(fields) })).status).toBe(
        500,
      );
  });
});

describe('who the user is', () => {
  async function asked(user: unknown, path = '/auth', channel = 'presence-a') {
    const logger = keepLines();
    const channels: string[] = [];
    const app = express5();
    app.use(
      routers.authRouter(countersign, {
        user: () => user as routers.AuthUser,
        canAccess: (user, name) => {
          channels.push(`${name} for ${user.id}`);
          return true;
        },
        grantSeconds: null,
        logger,
      }),
    );
    const url = `http://127.0.0.1:${await listen(app)}${path}`;
    const body = new URLSearchParams({ socket_id: '1.2', channel_name: channel });
    const response = await fetch(url, { method: 'POST', body });
    return {
      status: response.status,
      body: (await response.json()) as Record<string, string>,
      channels,
      lines: logger.lines,
    };
  }

  test.each([
    [{}],
    [{ id: undefined }],
    [{ id: null }],
    [{ id: '' }],
    [{ id: Number.NaN }],
    [{ id: 1.5 }],
    [{ id: 2 ** 53 }],
    [{ id: {} }],
    [{ id: ['ann'] }],
    [{ id: true }],
    [true],
    ['ann'],
    [[]],
  ])('%j is nobody: 500, and nothing is asked', async (user) => {
    for (const [path, channel] of [
      ['/auth', 'private-user-undefined'],
      ['/user-auth', ''],
    ] as const) {
      const { status, body, channels, lines } = await asked(user, path, channel);
      expect({ status, body, channels }).toEqual({
        status: 500,
        body: { error: 'Internal error', code: 'internal_error' },
        channels: [],
      });
      const message = expect.stringMatching(/^user\(req\) returned a user whose id is .*; it must be/);
      expect(lines).toMatchObject([{ level: 'error', status: 500, err: { code: 'invalid_user', message } }]);
    }
  });

  test.each([
    [7, '7'],
    [-7, '-7'],
    [0, '0'],
    [2 ** 53 - 1, '9007199254740991'],
    [1915883588174806058n, '1915883588174806058'],
    ['7', '7'],
  ])('the id %s is the text %s, wherever it is signed', async (id, text) => {
    const presence = await asked({ id, info: { name: 'Ann' } });
    expect(JSON.parse(presence.body['channel_data']!)).toEqual({ user_id: text, user_info: { name: 'Ann' } });
    const signedIn = await asked({ id }, '/user-auth');
    expect(JSON.parse(signedIn.body['user_data']!)).toEqual({ id: text });
  });
});

describe('the limit of each address', () => {
  const limited = (logger: ReturnType<typeof keepLines>) => {
    const app = express5();
    app.use(
      '/c',
      routers.authRouter(countersign, {
        user: () => ({ id: 'ann' }),
        canAccess: () => true,
        rateLimit: { limit: 2 },
        logger,
      }),
    );
    return app;
  };

  const ask = async (app: Express, forwarded: string): Promise<number> => {
    const url = `http://127.0.0.1:${await listen(app)}/c/auth`;
    const headers = { 'x-forwarded-for': forwarded };
    return (await fetch(url, { method: 'POST', headers, body: new URLSearchParams(fields) })).status;
  };

  test.each([
    ['one by IPv4, whatever its port', ['1.2.3.4', '1.2.3.4:50001', '1.2.3.4:50002'], [200, 200, 429]],
    ['one by IPv4 in IPv6', ['1.2.3.4', '::ffff:1.2.3.4', '[::ffff:1.2.3.4]:443'], [200, 200, 429]],
    [
      'one network by IPv6',
      ['2001:db8:0:1::1', '2001:db8::2:3:4:5:6', '[2001:DB8:0:ff::9]:443'],
      [200, 200, 429],
    ],
    ['others by IPv6', ['2001:db8:0:100::1', '2001:db8:0:200::1', '2001:db8:0:300::1'], [200, 200, 200]],
    ['others by IPv4', ['1.2.3.4', '1.2.3.5', '1.2.3.6'], [200, 200, 200]],
    ['what is no address', ['unknown', 'unknown', 'unknown'], [200, 200, 429]],
  ])('is that of %s', async (_, addresses, statuses) => {
    const app = limited(keepLines()).set('trust proxy', 'loopback');
    const answered: number[] = [];
    for (const address of addresses) answered.push(await ask(app, address));
    expect(answered).toEqual(statuses);
  });

  test('is one for all behind a proxy that is not trusted, and the log says so once', async () => {
    const logger = keepLines();
    const app = limited(logger);
    const answered: number[] = [];
    for (const address of ['1.2.3.4', '1.2.3.5', '1.2.3.6']) answered.push(await ask(app, address));
    expect(answered).toEqual([200, 200, 429]);
    expect(logger.lines.filter(({ level }) => level === 'error')).toEqual([
      { level: 'error', text: expect.stringContaining('"trust proxy"') },
    ]);
  });

  test('is none where a unix socket has no addresses, and the log says so once', async () => {
    const logger = keepLines();
    for (const trust of [false, 'loopback'] as const) {
      logger.lines.length = 0;
      const app = limited(logger).set('trust proxy', trust);
      const socketPath = join(tmpdir(), `${randomUUID()}.sock`);
      const server: Server = app.listen(socketPath);
      await once(server, 'listening');
      onTestFinished(() => void server.close());
      for (let n = 0; n < 3; n++) {
        const sent = httpRequest({
          agent: false,
          socketPath,
          path: '/c/auth',
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
        });
        sent.end(String(new URLSearchParams(fields)));
        const [response] = await once(sent, 'response');
        response.resume();
        expect(response.statusCode).toBe(200);
      }
      expect(logger.lines.filter(({ level }) => level === 'error')).toMatchObject([
        { text: expect.stringContaining('without an address') },
      ]);
    }
  });

  test('begins anew with each window, and says when that is', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const app = limited(keepLines());
    const url = `http://127.0.0.1:${await listen(app)}/c/auth`;
    const ask = () => fetch(url, { method: 'POST', body: new URLSearchParams(fields) });
    expect([(await ask()).status, (await ask()).status]).toEqual([200, 200]);
    vi.advanceTimersByTime(59_000);
    const refused = await ask();
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
    vi.advanceTimersByTime(1000);
    expect((await ask()).status).toBe(200);
  });

  test('is kept for 100,000 addresses; others are let in, and the log says so once', () => {
    const logger = keepLines();
    const limit = new AddressLimit({ limit: 1, windowSeconds: 3600 }, logger);
    const admit = (ip: string) => limit.admit({ ip, headers: {} } as Request);
    const address = (n: number) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;
    const refused = Array.from({ length: 100_000 }, (_, n) => admit(address(n))).filter(
      (wait) => wait !== undefined,
    );
    expect(refused).toEqual([]);
    expect([admit(address(0)), admit(address(99_999))]).toEqual([expect.any(Number), expect.any(Number)]);
    for (let n = 0; n < 3; n++) expect(admit('11.0.0.1')).toBeUndefined();
    expect(logger.lines).toMatchObject([
      { level: 'warn', text: expect.stringContaining('too many addresses') },
    ]);
  });

  test('is a handler of the app, if it gives one', async () => {
    const { rateLimit } = createRequire(import.meta.url)('express-rate-limit');
    const app = express5();
    app.use(
      routers.authRouter(countersign, {
        user: () => ({ id: 'ann' }),
        canAccess: () => true,
        rateLimit: rateLimit({ limit: 1 }),
      }),
    );
    const url = `http://127.0.0.1:${await listen(app)}/auth`;
    const ask = async () => (await fetch(url, { method: 'POST', body: new URLSearchParams(fields) })).status;
    expect([await ask(), await ask()]).toEqual([200, 429]);
  });

  test.each([[{ limit: 0 }], [{ limit: '5' }], [{ max: 5 }], [{ windowSeconds: 0.5 }], [true], [null]])(
    'cannot be %j',
    (rateLimit) => {
      const options = { user: () => null, canAccess: () => true, rateLimit: rateLimit as never };
      expect(() => routers.authRouter(countersign, options)).toThrow(
        expect.objectContaining({ code: 'invalid_options' }),
      );
    },
  );
});
