/** Tokens of identity providers in place of signatures: who gets in, by what, and until when. */
import { generateKeyPairSync } from 'node:crypto';
import { SignJWT, UnsecuredJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { configOf, startServer } from '../helpers/brokers/server.ts';
import { connect, connectCapable, type TestClient } from '../helpers/clients/client.ts';
import { inSeconds, read } from '../helpers/clients/grants.ts';
import { frames } from '../helpers/frames.ts';
import {
  AUDIENCE,
  IdentityProvider,
  ISSUER,
  payload,
  SECRET,
  tokenBySecret,
  trustingSecret,
} from '../helpers/token-issuer.ts';

const start = (tokens: object = trustingSecret(), app: object = {}) =>
  startServer({ app: { tokens, ...app } });

function authenticate(client: TestClient, token: unknown) {
  client.send({ event: 'countersign:authenticate', data: { token } });
  return client.next().then(read);
}

const failed = (code: string) => ({
  event: 'countersign:authentication_failed',
  data: { code, error: expect.any(String) },
});

describe('a valid token', () => {
  test('makes the connection that of its user, and opens the channels that it names', async () => {
    const broker = await start();
    const client = await connectCapable(broker);
    const exp = inSeconds(60);
    expect(await authenticate(client, await tokenBySecret({ exp, user_info: { name: 'Ann' } }))).toEqual({
      event: 'countersign:authenticated',
      data: {
        user_id: 'ann',
        user_info: { name: 'Ann' },
        expires_at: exp,
        channels: { 'private-team-*': ['subscribe', 'publish'], 'presence-lobby': ['subscribe'] },
      },
    });
    client.subscribe('private-team-7');
    expect(read(await client.next())).toMatchObject({
      event: 'pusher_internal:subscription_succeeded',
      expires_at: exp,
    });
    client.subscribe('presence-lobby');
    expect(read(await client.next())).toMatchObject({
      event: 'pusher_internal:subscription_succeeded',
      data: { presence: { ids: ['ann'], hash: { ann: { name: 'Ann' } } } },
    });
    client.subscribe('#server-to-user-ann');
    expect(read(await client.next())).toMatchObject({ channel: '#server-to-user-ann' });
    await publish(broker, 'private-team-7', 'e', 'hello');
    expect(await client.next()).toContain('hello');
    const path = '/users/ann/terminate_connections';
    await request(broker, 'POST', path, { body: {} });
    expect((await client.closed()).code).toBe(4009);
  });

  test('opens nothing else, and no encrypted channel', async () => {
    const broker = await start();
    const client = await connectCapable(broker);
    await authenticate(client, await tokenBySecret({ channels: ['private-*', 'presence-*'] }));
    for (const channel of ['private-encrypted-x', 'presencex-y']) client.subscribe(channel);
    expect(read(await client.next())).toMatchObject({
      event: 'pusher:subscription_error',
      data: { code: 'missing_auth', error: expect.stringContaining('encrypted') },
    });
    expect(read(await client.next())).toMatchObject({ event: 'pusher_internal:subscription_succeeded' });
    await authenticate(client, await tokenBySecret({ channels: [] }));
    client.subscribe('private-team-7');
    expect(read(await client.next())).toMatchObject({ data: { code: 'missing_auth', status: 401 } });
  });

  test('allows client events where it says so', async () => {
    const broker = await start();
    const [ann, bob] = [await connectCapable(broker), await connectCapable(broker)];
    const channels = { 'private-a': ['subscribe', 'publish'], 'private-b': ['subscribe'] };
    await authenticate(ann, await tokenBySecret({ channels }));
    for (const channel of ['private-a', 'private-b']) {
      await bob.join(channel);
      ann.subscribe(channel);
      await ann.next();
    }
    ann.trigger('private-a', 'client-x', 'hello');
    expect(await bob.next()).toContain('hello');
    ann.trigger('private-b', 'client-x', 'hello');
    expect(read(await ann.next())).toMatchObject({ data: { error_code: 'publish_not_granted' } });
    expect(await bob.nothing()).toEqual([]);
  });

  test('leaves signatures as they are', async () => {
    const broker = await start();
    const client = await connectCapable(broker);
    await authenticate(client, await tokenBySecret());
    expect(read(await client.join('private-other'))).toMatchObject({
      event: 'pusher_internal:subscription_succeeded',
    });
  });

  test('keeps the information about the user as it was written', async () => {
    const broker = await start();
    const client = await connectCapable(broker);
    const text = '{"iss":"https://login.example.com","aud":"live.example.com","sub":"ann"';
    const json = `${text},"exp":${inSeconds(60)},"user_info":{"n":12345678901234567890}}`;
    const { FlattenedSign } = await import('jose');
    const {
      protected: header,
      payload: body,
      signature,
    } = await new FlattenedSign(Buffer.from(json))
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(SECRET));
    client.send({ event: 'countersign:authenticate', data: { token: `${header}.${body}.${signature}` } });
    expect(await client.next()).toContain('12345678901234567890');
  });

  test('of another user is refused, and one of the same user replaces it', async () => {
    const broker = await start();
    const client = await connectCapable(broker);
    await authenticate(client, await tokenBySecret());
    for (const channel of ['private-team-1', 'presence-lobby']) {
      client.subscribe(channel);
      await client.next();
    }
    expect(await authenticate(client, await tokenBySecret({ sub: 'bob' }))).toEqual(failed('token_user'));
    const exp = inSeconds(120);
    const renewed = await authenticate(client, await tokenBySecret({ exp, channels: ['presence-lobby'] }));
    expect(renewed).toMatchObject({ event: 'countersign:authenticated', data: { expires_at: exp } });
    const [one, other] = [read(await client.next()), read(await client.next())];
    expect([one, other]).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          event: 'pusher:subscription_error',
          channel: 'private-team-1',
          data: expect.objectContaining({ code: 'grant_refused', status: 403 }),
        }),
        expect.objectContaining({
          event: 'countersign:grant_renewed',
          channel: 'presence-lobby',
          data: { expires_at: exp },
        }),
      ]),
    );
    await publish(broker, 'private-team-1', 'e', 'x');
    await publish(broker, 'presence-lobby', 'e', 'y');
    expect(await client.next()).toBe(frames.event('e', 'presence-lobby', 'y'));
  });
});

describe('the end of a token', () => {
  test('ends its channels, then the connection', async () => {
    const broker = await start();
    const [client, watcher] = [await connectCapable(broker), await connect(broker)];
    await watcher.join('presence-lobby', { user_id: 'watcher' });
    const exp = inSeconds(2);
    await authenticate(client, await tokenBySecret({ exp }));
    for (const channel of ['private-team-1', 'presence-lobby', '#server-to-user-ann']) {
      client.subscribe(channel);
      await client.next();
    }
    const received = await client.until((each) => typeof each !== 'string');
    const events = received.filter((each) => typeof each === 'string').map(read);
    expect(events.map(({ event }) => event)).toEqual([
      'countersign:authentication_expiring',
      'pusher:subscription_error',
      'pusher:subscription_error',
      'countersign:terminated',
      'pusher:error',
    ]);
    expect(new Set(events.slice(1, 3).map(({ channel }) => channel))).toEqual(
      new Set(['private-team-1', 'presence-lobby']),
    );
    expect(events[1]).toMatchObject({ data: { type: 'GrantExpired', code: 'grant_expired' } });
    expect(events[3]).toMatchObject({ data: { code: 'token_expired' } });
    expect(received.at(-1)).toMatchObject({ code: 4009 });
    expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000);
    expect(await watcher.until((each) => String(each).includes('member_removed'))).toContain(
      frames.memberRemoved('presence-lobby', 'ann'),
    );
  });

  test('closes with 4200 before it where the app says so', async () => {
    const broker = await start(trustingSecret({ onExpiry: 'reconnect' }));
    const client = await connectCapable(broker);
    await authenticate(client, await tokenBySecret({ exp: inSeconds(2) }));
    expect(await client.closed()).toMatchObject({ code: 4200 });
  });

  test('does not come when it is renewed in time', async () => {
    const broker = await start();
    const client = await connectCapable(broker);
    await authenticate(client, await tokenBySecret({ exp: inSeconds(2) }));
    client.subscribe('private-team-1');
    await client.next();
    expect(read(await client.next())).toMatchObject({ event: 'countersign:authentication_expiring' });
    await authenticate(client, await tokenBySecret({ exp: inSeconds(60) }));
    expect(read(await client.next())).toMatchObject({ event: 'countersign:grant_renewed' });
    await expect(client.next(2500)).rejects.toThrow('before the deadline');
  });
});

describe('a token is refused', () => {
  test('with a code that says why', async () => {
    const broker = await start();
    const sign = (header: object, body: object = payload()) =>
      new SignJWT(body as never).setProtectedHeader(header as never).sign(new TextEncoder().encode(SECRET));
    const withoutExpiry = { ...payload() };
    delete withoutExpiry.exp;
    const refused: [code: string, token: unknown][] = [
      ['token_expired', await tokenBySecret({ exp: inSeconds(-1) })],
      ['token_not_yet_valid', await tokenBySecret({ nbf: inSeconds(30) })],
      ['token_not_yet_valid', await tokenBySecret({ iat: inSeconds(90) })],
      ['token_audience', await tokenBySecret({ aud: 'another' })],
      ['token_issuer', await tokenBySecret({ iss: 'https://evil.example.com' })],
      ['token_signature', await tokenBySecret({}, 'another-secret-that-nobody-shares')],
      ['token_signature', new UnsecuredJWT(payload()).encode()],
      ['token_signature', await sign({ alg: 'HS512' })],
      ['token_malformed', await sign({ alg: 'HS256' }, withoutExpiry)],
      ['token_malformed', await tokenBySecret({ channels: { 'private-a': ['delete'] } })],
      ['token_malformed', await tokenBySecret({ channels: { 'private-a': 'subscribe' } })],
      ['token_malformed', await tokenBySecret({ channels: ['private a'] })],
      ['token_malformed', await tokenBySecret({ user_info: 'Ann' })],
      ['token_malformed', 'not.a.token'],
      ['token_malformed', 7],
      ['token_malformed', undefined],
      ['token_user', await tokenBySecret({ sub: '' })],
      ['token_user', await tokenBySecret({ sub: 7 as never })],
    ];
    for (const [code, token] of refused) {
      const client = await connectCapable(broker);
      expect(await authenticate(client, token), `${code} ${token}`).toEqual(failed(code));
      client.subscribe('private-team-7');
      expect(read(await client.next())).toMatchObject({ data: { code: 'missing_auth' } });
    }
  });

  test('of an app that accepts none, and on a connection that does not understand the answer', async () => {
    const broker = await startServer();
    expect(await authenticate(await connectCapable(broker), await tokenBySecret())).toEqual(
      failed('token_issuer'),
    );
    const stock = await connect(broker);
    expect(await authenticate(stock, await tokenBySecret())).toMatchObject({
      event: 'pusher:error',
      data: { code: null, error_code: 'unsupported_event' },
    });
    expect(await stock.nothing()).toEqual([]);
  });

  test('that was issued before a revocation, also for another channel', async () => {
    const broker = await start();
    const client = await connectCapable(broker);
    const token = await tokenBySecret({ iat: inSeconds(-5) });
    await authenticate(client, token);
    client.subscribe('private-team-1');
    await client.next();
    const body = { target: { user_id: 'ann' } };
    expect((await request(broker, 'POST', '/revocations', { body })).status).toBe(200);
    expect(read(await client.next())).toMatchObject({
      channel: 'private-team-1',
      data: { code: 'grant_revoked' },
    });
    client.subscribe('private-team-2');
    expect(read(await client.next())).toMatchObject({ data: { code: 'grant_revoked', status: 403 } });
    expect(await authenticate(await connectCapable(broker), token)).toEqual(failed('grant_revoked'));
  });

  test('that was issued in the second of a revocation, whatever fraction of it the issuer writes', async () => {
    const start = Date.now();
    const broker = await startServer({ app: { tokens: trustingSecret() }, parts: { now: () => start } });
    const client = await connectCapable(broker);
    await request(broker, 'POST', '/revocations', {
      body: { target: { user_id: 'ann' }, action: 'disconnect' },
    });
    const iat = Math.floor(start / 1000) + 0.999;
    expect(await authenticate(client, await tokenBySecret({ iat }))).toEqual(failed('grant_revoked'));
    expect(await authenticate(client, await tokenBySecret({ iat: iat + 1 }))).toMatchObject({
      event: 'countersign:authenticated',
    });
  });

  test('of a user who is blocked', async () => {
    const broker = await start();
    await request(broker, 'POST', '/users/ann/terminate_connections', { body: { block: 60 } });
    expect(await authenticate(await connectCapable(broker), await tokenBySecret())).toEqual(
      failed('blocked'),
    );
  });

  test('too often, and the connection closes', async () => {
    const broker = await startServer({
      app: { tokens: trustingSecret() },
      limits: { refusedProofsPerMinute: 1, subscriptionsPerConnection: 1 },
    });
    const client = await connectCapable(broker);
    for (let n = 0; n < 3; n += 1)
      client.send({ event: 'countersign:authenticate', data: { token: 'none' } });
    expect(await client.closed()).toMatchObject({ code: 4009 });
  });
});

describe('the keys of an issuer', () => {
  test('are read once for many, and again for one that is not known', async () => {
    const provider = await IdentityProvider.start();
    let now = 0;
    const broker = await startServer({ app: { tokens: provider.trusted }, parts: { monotonic: () => now } });
    const clients = await Promise.all(Array.from({ length: 20 }, () => connectCapable(broker)));
    const token = await provider.token();
    for (const client of clients)
      expect(await authenticate(client, token)).toMatchObject({ event: 'countersign:authenticated' });
    expect(provider.reads).toBe(1);

    await provider.addKey('key-b');
    const [another, later] = [await connectCapable(broker), await connectCapable(broker)];
    expect(await authenticate(another, await provider.token({}, 'key-b'))).toEqual(failed('token_signature'));
    expect(provider.reads).toBe(1);
    now += 5001;
    expect(await authenticate(later, await provider.token({}, 'key-b'))).toMatchObject({
      event: 'countersign:authenticated',
    });
    expect(provider.reads).toBe(2);
  });

  test('that left its set open nothing after ten minutes, nor does one who does not answer', async () => {
    const provider = await IdentityProvider.start();
    let now = 0;
    const broker = await startServer({ app: { tokens: provider.trusted }, parts: { monotonic: () => now } });
    const client = await connectCapable(broker);
    await authenticate(client, await provider.token());
    client.subscribe('private-team-1');
    await client.next();
    await provider.addKey('key-b');
    provider.withdraw('key-a');
    now += 600_001;
    const other = await connectCapable(broker);
    expect(await authenticate(other, await provider.token())).toEqual(failed('token_signature'));

    provider.fault = { status: 500, body: 'no' };
    now += 600_001;
    expect(await authenticate(other, await provider.token({}, 'key-b'))).toEqual(failed('unavailable'));
    await publish(broker, 'private-team-1', 'e', 'still here');
    expect(await client.next()).toContain('still here');
    provider.fault = undefined;
    expect(await authenticate(other, await provider.token({}, 'key-b'))).toEqual(failed('unavailable'));
    now += 5001;
    expect(await authenticate(other, await provider.token({}, 'key-b'))).toMatchObject({
      event: 'countersign:authenticated',
    });
  });

  test('too many, too large or no keys are an issuer that does not answer', async () => {
    const provider = await IdentityProvider.start();
    for (const body of ['no json', '{"keys":7}', `{"keys":[],"x":"${'x'.repeat(300_000)}"}`]) {
      provider.fault = { status: 200, body };
      const broker = await start(provider.trusted);
      const client = await connectCapable(broker);
      expect(await authenticate(client, await provider.token())).toEqual(failed('unavailable'));
    }
  });

  test('one public key of the configuration', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const pem = publicKey.export({ type: 'spki', format: 'pem' });
    const sign = () => new SignJWT(payload()).setProtectedHeader({ alg: 'EdDSA' }).sign(privateKey);
    for (const key of [pem, publicKey.export({ format: 'jwk' })]) {
      const broker = await start({ issuers: [{ issuer: ISSUER, audience: AUDIENCE, publicKey: key }] });
      expect(await authenticate(await connectCapable(broker), await sign())).toMatchObject({
        event: 'countersign:authenticated',
      });
      // Whoever knows the public key must not be able to sign with it.
      const forged = await new SignJWT(payload())
        .setProtectedHeader({ alg: 'HS256' })
        .sign(new TextEncoder().encode(String(pem)));
      expect(await authenticate(await connectCapable(broker), forged)).toEqual(failed('token_signature'));
    }
  });

  test('of an issuer that a reload removes are worth nothing, and what they gave ends', async () => {
    const broker = await start();
    const client = await connectCapable(broker);
    await authenticate(client, await tokenBySecret());
    client.subscribe('private-team-1');
    await client.next();
    await broker.reload(configOf({ app: { tokens: trustingSecret() } }).apps);
    expect(await client.nothing()).toEqual([]);
    await broker.reload(configOf().apps);
    expect(await client.closed()).toMatchObject({ code: 4009 });
  });
});

describe('the configuration', () => {
  const issuer = { issuer: ISSUER, audience: AUDIENCE };
  test.each([
    ['no key', [issuer], 'exactly one of jwksUrl, publicKey and secret'],
    ['two', [{ ...issuer, secret: SECRET, jwksUrl: 'https://a.example/' }], 'exactly one of'],
    [
      'HS256 with a public key',
      [{ ...issuer, jwksUrl: 'https://a.example/', algorithms: ['HS256'] }],
      'HS256',
    ],
    ['RS256 with a secret', [{ ...issuer, secret: SECRET, algorithms: ['RS256'] }], 'RS256'],
    ['none', [{ ...issuer, secret: SECRET, algorithms: ['none'] }], 'algorithms'],
    ['no public key', [{ ...issuer, publicKey: 'x' }], 'expected a public key'],
    [
      'the same issuer twice',
      [
        { ...issuer, secret: SECRET },
        { ...issuer, secret: SECRET },
      ],
      'listed before',
    ],
    ['nobody', [], 'issuers'],
  ])('is refused with %s', (_name, issuers, text) => {
    expect(() => configOf({ app: { tokens: { issuers } } })).toThrow(text);
  });
});
