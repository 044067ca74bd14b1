import { bodyMd5 } from '@countersign/sdk-server/signature';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OTHER_APP } from '../helpers/brokers/server.ts';
import { RawClient } from '../helpers/clients/raw.ts';
import { get, post, type Signing, send, signed, startExample } from '../helpers/http.ts';
import { numRuns } from '../helpers/property.ts';
import { app, EMPTY_BODY_MD5, TIMESTAMP } from '../packages/vectors.ts';

const EVENT = '{"name":"e","channels":["c"],"data":"x"}';
const CHANNELS = { path: '/apps/3/channels' };
const EVENTS = { path: '/apps/3/events', body: EVENT };

async function answerTo(signing: Signing) {
  return send(await startExample(), signed(signing));
}

describe('what proves a request', () => {
  test.each(['auth_key', 'auth_timestamp', 'auth_version'])('%s is missing', async (name) => {
    expect(await answerTo({ ...CHANNELS, proof: { [name]: undefined } })).toMatchObject({
      status: 401,
      error: `Missing parameter: ${name}. Every request needs it in its query`,
    });
  });

  test('auth_signature is missing', async () => {
    const { target } = signed(CHANNELS);
    const answer = await send(await startExample(), { target: target.replace(/&auth_signature=.*/, '') });
    expect(answer).toMatchObject({
      status: 401,
      error: 'Missing parameter: auth_signature. Every request needs it in its query',
    });
  });

  test.each(['', '1', '2.0', '1.0 '])('auth_version is "%s"', async (version) => {
    expect(await answerTo({ ...CHANNELS, proof: { auth_version: version } })).toMatchObject({
      status: 401,
      error: 'Version not supported: auth_version must be 1.0',
    });
  });

  test.each([
    ['unknown', 'no-such-key'],
    ['empty', ''],
    ['the name of a property', '__proto__'],
    ['of another app', OTHER_APP.key],
  ])('auth_key is %s', async (_, key) => {
    expect(await answerTo({ ...CHANNELS, proof: { auth_key: key }, secret: OTHER_APP.secret })).toMatchObject(
      {
        status: 401,
        error: `Unknown auth_key: "${key}" is no key of this app`,
      },
    );
  });

  test.each(['nobody', '__proto__', 'constructor'])('the app %s does not exist', async (id) => {
    expect(await answerTo({ path: `/apps/${id}/channels` })).toMatchObject({
      status: 404,
      error: `No app has the id "${id}"`,
    });
    expect(await answerTo({ path: `/apps/${id}/events`, body: EVENT })).toMatchObject({ status: 404 });
  });

  test('every key of an app is good, with its own secret only', async () => {
    const second = { key: 'second-key', secret: 'second-secret' };
    const broker = await startExample({ app: { keys: [{ key: app.key, secret: app.secret }, second] } });
    const proof = { auth_key: second.key };
    const right = await send(broker, signed({ ...EVENTS, proof, secret: second.secret }));
    const wrong = await send(broker, signed({ ...EVENTS, proof }));
    expect([right.status, wrong.status]).toEqual([200, 401]);
  });

  test.each([
    ['of another secret', (s: string) => s.replace(/.{64}$/, '0'.repeat(64))],
    ['in upper case', (s: string) => s.slice(0, -64) + s.slice(-64).toUpperCase()],
    ['cut short', (s: string) => s.slice(0, -1)],
    ['too long', (s: string) => `${s}0`],
    ['empty', (s: string) => s.slice(0, -64)],
  ])('the signature is %s', async (_, change) => {
    const request = signed(EVENTS);
    const answer = await send(await startExample(), { ...request, target: change(request.target) });
    const query = `auth_key=${app.key}&auth_timestamp=${TIMESTAMP}&auth_version=1.0&body_md5=${bodyMd5(EVENT)}`;
    const text = JSON.stringify(`POST\n/apps/3/events\n${query}`);
    expect(answer).toMatchObject({
      status: 401,
      error: `Invalid signature: auth_signature must be HmacSHA256Hex(${text}, your_secret_key)`,
    });
  });
});

describe('the timestamp', () => {
  test.each([0, 1, 598, 599])(
    '%i seconds away from the clock is accepted on both sides',
    async (distance) => {
      for (const seconds of [TIMESTAMP - distance, TIMESTAMP + distance]) {
        const broker = await startExample({ parts: { now: () => seconds * 1000 + 999 } });
        expect(await get(broker, 'channels')).toMatchObject({ status: 200 });
      }
    },
  );

  test.each([600, 601, 1e6])('%i seconds away from the clock is refused on both sides', async (distance) => {
    for (const seconds of [TIMESTAMP - distance, TIMESTAMP + distance]) {
      const broker = await startExample({ parts: { now: () => seconds * 1000 } });
      expect(await get(broker, 'channels')).toMatchObject({
        status: 401,
        error: `Timestamp expired: Given timestamp (${TIMESTAMP}) not within 600s of server time (${seconds})`,
      });
    }
  });

  test.each([
    '',
    'now',
    `${TIMESTAMP}.0`,
    `+${TIMESTAMP}`,
    ` ${TIMESTAMP}`,
    '0x6553f100',
    '1e9',
    '1'.repeat(13),
    '١',
  ])('must be digits: "%s" is refused', async (timestamp) => {
    expect(await answerTo({ ...CHANNELS, proof: { auth_timestamp: timestamp } })).toMatchObject({
      status: 401,
      error: 'Invalid auth_timestamp: it must be Unix seconds in decimal digits',
    });
  });
});

describe('the MD5 of the body', () => {
  test('is required with a body', async () => {
    expect(await answerTo({ ...EVENTS, proof: { body_md5: undefined } })).toMatchObject({
      status: 401,
      error: 'Missing parameter: body_md5. A request with a body needs it in its query',
    });
  });

  test.each([
    ['of another body', bodyMd5('other')],
    ['of nothing', EMPTY_BODY_MD5],
    ['in upper case', bodyMd5(EVENT).toUpperCase()],
    ['cut short', bodyMd5(EVENT).slice(0, -1)],
    ['empty', ''],
  ])('must not be %s', async (_, md5) => {
    expect(await answerTo({ ...EVENTS, proof: { body_md5: md5 } })).toMatchObject({
      status: 401,
      error: 'Invalid body_md5: it must be the MD5 of the exact bytes of the body in lower-case hex',
    });
  });

  test('may be missing or that of nothing without a body, and nothing else', async () => {
    const terminate = { method: 'POST', path: '/apps/3/users/7/terminate_connections' };
    for (const request of [CHANNELS, terminate]) {
      expect(await answerTo(request)).toMatchObject({ status: 200 });
      expect(await answerTo({ ...request, proof: { body_md5: EMPTY_BODY_MD5 } })).toMatchObject({
        status: 200,
      });
      expect(await answerTo({ ...request, proof: { body_md5: bodyMd5('{}') } })).toMatchObject({
        status: 401,
      });
    }
  });

  test('counts for a GET with a body, too', async () => {
    expect(await answerTo({ ...CHANNELS, method: 'GET', body: 'x' })).toMatchObject({ status: 200 });
    const request = { ...signed(CHANNELS), body: 'x' };
    expect(await send(await startExample(), request)).toMatchObject({ status: 401 });
  });

  test('is over the bytes, in any number of chunks', async () => {
    const body = JSON.stringify({
      name: 'e',
      channel: 'c',
      data: 'é'.repeat(5000),
      padding: 'x'.repeat(200_000),
    });
    expect(await post(await startExample(), 'events', body)).toMatchObject({ status: 200, text: '{}' });
  });
});

describe('the query', () => {
  test.each(['auth_key', 'auth_timestamp', 'auth_version', 'auth_signature', 'body_md5'])(
    'must not hold %s twice',
    async (name) => {
      const { target, ...request } = signed(EVENTS);
      const again = new RegExp(`[?&](${name}=[^&]*)`).exec(target)?.[1];
      for (const twice of [`${target}&${again}`, `${target}&${name.toUpperCase()}=1`, `${target}&${name}`]) {
        const answer = await send(await startExample(), { ...request, target: twice });
        expect(answer).toMatchObject({ status: 400, error: `The query holds "${name}" twice: send it once` });
      }
    },
  );

  test.each(['info', 'filter_by_prefix'])('must not hold %s twice', async (name) => {
    const { target } = signed({ ...CHANNELS, query: { [name]: '' } });
    const twice = target.replace(`${name}=`, `${name}=&${name}=`);
    const answer = await send(await startExample(), { target: twice });
    expect(answer.status).toBe(401); // the second one was not signed
    expect(await answerTo({ ...CHANNELS, query: { [name]: '', [name.toUpperCase()]: '' } })).toMatchObject({
      status: 400,
      error: `The query holds "${name}" twice: send it once`,
    });
  });

  test.each(['a%26b=1', 'a%3Db=1', 'a=1%262', 'a=%0D', 'a=%0A', 'a=%00', '%0A=1', '%00=1'])(
    'must not hold an encoded separator: %s',
    async (parameter) => {
      const answer = await send(await startExample(), { target: `${signed(CHANNELS).target}&${parameter}` });
      expect(answer).toMatchObject({
        status: 400,
        error: expect.stringMatching(/^The query holds an encoded separator/),
      });
    },
  );

  test.each(['a=%', 'a=%4', 'a=%GG', 'a=%FF', '%e2%82=1', 'auth_key=%C3%28'])(
    'must be properly encoded: %s',
    async (parameter) => {
      const answer = await send(await startExample(), { target: `/apps/3/channels?${parameter}` });
      const text = /%.*?(?==|$)/.exec(parameter)?.[0];
      expect(answer).toMatchObject({
        status: 400,
        error: `The query is not properly percent-encoded UTF-8 at "${text}"`,
      });
    },
  );

  test('may have empty parts, parameters without "=", names in upper case, and any order', async () => {
    const broker = await startExample();
    const { target } = signed({ ...CHANNELS, query: { flag: '' } });
    const [path, query = ''] = target.split('?');
    const parts = query.replace('flag=', 'flag').replace('auth_key', 'Auth_Key').split('&').reverse();
    expect(await send(broker, { target: `${path}?&&${parts.join('&&')}&` })).toMatchObject({ status: 200 });
  });

  test.each(['', '?', '?&', '?=', '?=&=', '??'])(
    'may be as good as missing: "%s" proves nothing',
    async (query) => {
      const broker = await startExample();
      expect(await send(broker, { target: `/apps/3/channels${query}` })).toMatchObject({
        status: 401,
        error: 'Missing parameter: auth_key. Every request needs it in its query',
      });
      const request = { method: 'POST', target: `/apps/3/events${query}`, body: EVENT };
      expect(await send(broker, request)).toMatchObject({ status: 401 });
    },
  );

  test('a plus may have been signed as a plus or as a space, and is read as it was signed', async () => {
    const broker = await startExample();
    for (const prefix of ['a+b', 'a b']) {
      const { target } = signed({ ...CHANNELS, query: { filter_by_prefix: prefix } });
      const answer = await send(broker, { target: target.replace(/a(%2B|%20)b/, 'a+b') });
      expect(answer).toMatchObject({
        status: 400,
        error: `Invalid channel name in "filter_by_prefix": "${prefix}". Expected 1 to 200 of A-Z a-z 0-9 _ - = @ , . ;`,
      });
    }
  });

  test('a value may have been signed as it stands in the URL, and is read as it was signed', async () => {
    const { target } = signed({ ...CHANNELS, query: { filter_by_prefix: 'a%2Db' } });
    const answer = await send(await startExample(), { target: target.replace('a%252Db', 'a%2Db') });
    expect(answer.error).toMatch(/^Invalid channel name in "filter_by_prefix": "a%2Db"/);
  });

  test.each(['more', 'filter_by_prefix', ':', 'a:b'])('must not hold a colon in %s', async (name) => {
    const signing = { ...CHANNELS, query: { [name]: 'a:b' } };
    const error = `The query parameter "${name}" holds a colon`;
    expect(await answerTo(signing)).toMatchObject({ status: 400, error });
  });

  test('unknown parameters are ignored on GET and refused on POST', async () => {
    expect(await answerTo({ ...CHANNELS, query: { more: 'x' } })).toMatchObject({ status: 200 });
    for (const name of ['more', 'channel', 'channels[]', '__proto__', '']) {
      expect(await answerTo({ ...EVENTS, query: { [name]: 'x' } })).toMatchObject({
        status: 400,
        error: `Unknown query parameter "${name}": a POST has its parameters in its body`,
      });
    }
  });
});

describe('the path', () => {
  test('may be signed as it arrives, decoded or encoded', async () => {
    const broker = await startExample();
    const forms = ['/apps/3/channels/a%3Db@c', '/apps/3/channels/a=b@c', '/apps/3/channels/a%3Db%40c'];
    for (const path of [...forms, '/apps/3/channels/%61=b%40c']) {
      for (const signedPath of [path, ...forms.slice(1)]) {
        const answer = await send(broker, signed({ path, signedPath }));
        expect({ path, signedPath, ...answer }).toMatchObject({ status: 200, text: '{"occupied":false}' });
      }
      const other = signed({ path, signedPath: '/apps/3/channels/a=b' });
      expect(await send(broker, other)).toMatchObject({ status: 401 });
    }
  });

  test('never stands for another path, whatever was signed and whatever arrives', async () => {
    const broker = await startExample();
    const base = '/apps/3/channels/';
    const segment = fc.string({
      unit: fc.constantFrom('a', '=', '@', '/', '%', '%2F', '%3D', '%25', '..', ';'),
      maxLength: 6,
    });
    const isName = (name: string): boolean => /^[A-Za-z0-9_\-=@,.;]+$/.test(name);
    await fc.assert(
      fc.asyncProperty(segment, segment, async (signedName, name) => {
        const request = signed({ path: base + name, signedPath: base + signedName });
        const { status } = await send(broker, request);
        expect([200, 400, 401, 404, 405]).toContain(status);
        if (status !== 200) return;
        // What was signed and what was served are the same name.
        const served = decodeURIComponent(name);
        expect(isName(served)).toBe(true);
        expect(decodeURIComponent(signedName)).toBe(served);
      }),
      { numRuns: numRuns(300) },
    );
  });

  test('may stand in a whole URL', async () => {
    const broker = await startExample({ config: { pathPrefix: '/real' } });
    for (const request of [
      signed({ path: '/real/apps/3/events', signedPath: '/apps/3/events', body: EVENT }),
      signed({ path: '/real/apps/3/channels', signedPath: '/apps/3/channels' }),
    ]) {
      for (const origin of [
        'http://broker.example.com',
        'HTTPS://broker.example.com:443',
        `http://[::1]:${broker.port}`,
        'http://',
      ])
        expect(await send(broker, { ...request, target: origin + request.target })).toMatchObject({
          status: 200,
        });
      for (const origin of ['ftp://broker', 'broker', '//broker', 'http:', 'http:/broker', 'x://'])
        expect(
          (await send(broker, { ...request, target: origin + request.target })).status,
        ).toBeGreaterThanOrEqual(400);
    }
    expect(await send(broker, { target: 'http://broker.example.com' })).toMatchObject({ status: 404 });
    expect(await send(broker, { target: 'http://broker.example.com?x' })).toMatchObject({ status: 404 });
    expect(await send(broker, { target: 'http://broker.example.com/real/health' })).toMatchObject({
      status: 200,
    });
    const client = new RawClient(broker);
    client.upgrade(`http://broker.example.com/real/app/${app.key}?protocol=7`);
    expect(await client.next()).toMatchObject({ payload: expect.stringContaining('connection_established') });
  });

  test('may have its app id encoded', async () => {
    expect(await answerTo({ ...EVENTS, path: '/apps/%33/events' })).toMatchObject({ status: 200 });
  });

  test('may be signed with or without the prefix of the broker', async () => {
    const broker = await startExample({ config: { pathPrefix: '/real.time/v1' } });
    for (const [path, extra] of [
      ['/apps/3/events', { body: EVENT }],
      ['/apps/3/channels', {}],
      ['/apps/3/channels/a%3Db', {}],
    ] as const) {
      const decoded = decodeURIComponent(path);
      for (const signedPath of [path, `/real.time/v1${path}`, decoded, `/real.time/v1${decoded}`]) {
        const answer = await send(broker, signed({ path: `/real.time/v1${path}`, signedPath, ...extra }));
        expect(answer).toMatchObject({ status: 200 });
      }
      expect(await send(broker, signed({ path, ...extra }))).toMatchObject({ status: 404 });
      const other = signed({ path: `/real.time/v1${path}`, signedPath: `/other${path}`, ...extra });
      expect(await send(broker, other)).toMatchObject({ status: 401 });
    }
  });

  test.each([
    ['//apps/3/channels', 404],
    ['/apps//channels', 404],
    ['/apps//events', 404],
    ['/apps/3//channels', 404],
    ['/apps/3/channels/', 404],
    ['/Apps/3/channels', 404],
    ['/apps/3/channels/a%2Fb', 400],
    ['/apps/3/channels%2Fa', 404],
    ['/apps/3/channels/a%252Fb', 400],
    ['/apps/3%2Fchannels/a', 404],
    ['/apps/3/channels/%00', 400],
    ['/apps/3/channels/%0A', 400],
    ['/apps/3/channels/%ZZ', 400],
    ['/apps/3/channels/%FF', 400],
    ['/apps/3/channels/%', 400],
    ['/apps/%ZZ/events', 400],
    ['/apps/3/../3/channels', 404],
    ['/apps/3/channels/__proto__', 200],
    ['*', 404],
  ])('%s is answered with %i', async (path, status) => {
    expect(await answerTo({ path })).toMatchObject({ status });
  });
});
