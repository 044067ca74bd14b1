import { channelText, sign } from '@countersign/sdk-server/signature';
import { describe, expect, test } from 'vitest';
import { APP, configOf, startServer } from '../helpers/brokers/server.ts';
import { authorize, connect } from '../helpers/clients/client.ts';
import { frames } from '../helpers/frames.ts';
import { recordLog } from '../helpers/log.ts';

const NO_AUTH = 'Auth info required to subscribe';
const NO_MATCH = 'Invalid signature';

function refusal(channel: string, error: string, code = 'invalid_signature'): string {
  return frames.subscriptionError(channel, 'AuthError', error, 401, code);
}

function invalidData(channel: string, error: string): string {
  return frames.subscriptionError(channel, 'InvalidChannelData', error, 400, 'invalid_channel_data');
}

describe('channel_data', () => {
  test('that is empty counts as none', async () => {
    const server = await startServer();
    const client = await connect(server);
    const auth = authorize(client.socketId, 'private-a');
    client.subscribe('private-a', { auth, channel_data: '' });
    expect(await client.next()).toBe(frames.subscribed('private-a'));
  });

  test.each(['[]', '"x"', '7', 'null', 'true', '{', '{"a":1}x', 'x'])(
    'of a private channel cannot be %s',
    async (channelData) => {
      const server = await startServer();
      const client = await connect(server);
      expect(await client.join('private-a', channelData)).toBe(
        invalidData('private-a', 'channel_data must be a JSON object'),
      );
    },
  );

  test.each([7, true, {}, ['{}']])('is a text, and not %j', async (channelData) => {
    const server = await startServer();
    const client = await connect(server);
    const auth = authorize(client.socketId, 'private-a');
    client.subscribe('private-a', { auth, channel_data: channelData });
    expect(await client.next()).toBe(
      invalidData('private-a', 'channel_data must be a string that holds JSON'),
    );
  });

  test.each(['x', '{"user_id":true}', JSON.stringify({ user_id: 'a'.repeat(5000) })])(
    'is read only if its signature is right: %.20s',
    async (channelData) => {
      const server = await startServer();
      const client = await connect(server);
      const auth = `${APP.key}:${'0'.repeat(64)}`;
      client.subscribe('presence-a', { auth, channel_data: channelData });
      expect(await client.next()).toBe(refusal('presence-a', NO_MATCH));
    },
  );
});

describe('an app with two keys', () => {
  const first = APP;
  const second = { ...APP, key: 'key-new', secret: 'secret-new' };
  const app = { keys: [first, second].map(({ key, secret }) => ({ key, secret })) };

  test('accepts both, whichever the connection came with', async () => {
    const server = await startServer({ app });
    for (const arrival of [first, second]) {
      const client = await connect(server, arrival);
      for (const signer of [first, second]) {
        client.credentials = signer;
        const channel = `private-${signer.key}`;
        expect(await client.join(channel)).toBe(frames.subscribed(channel));
      }
    }
  });

  test('accepts each key with its own secret only', async () => {
    const server = await startServer({ app });
    const client = await connect(server);
    client.credentials = { ...first, secret: second.secret };
    expect(await client.join('private-a')).toBe(refusal('private-a', NO_MATCH));
    client.credentials = { ...second, secret: first.secret };
    expect(await client.join('private-a')).toBe(refusal('private-a', NO_MATCH));
  });

  test('accepts a key no more once it is removed', async () => {
    const server = await startServer({ app });
    const client = await connect(server, second);
    server.reload(configOf({ app: { keys: [{ key: second.key, secret: second.secret }] } }).apps);
    client.credentials = first;
    expect(await client.join('private-a')).toBe(
      refusal('private-a', `Invalid key in auth: this app has no key '${first.key}'`, 'unknown_key'),
    );
    client.credentials = second;
    expect(await client.join('private-a')).toBe(frames.subscribed('private-a'));
  });
});

test.each(['__proto__', 'constructor', 'toString', `${APP.key}:${APP.key}`])(
  'no app has a key called %s',
  async (key) => {
    const server = await startServer();
    const client = await connect(server);
    client.credentials = { ...APP, key };
    expect(await client.join('private-a')).toBe(
      refusal('private-a', `Invalid key in auth: this app has no key '${key}'`, 'unknown_key'),
    );
  },
);

test('what was signed for the last connection is refused, and what is signed for this one then accepted', async () => {
  const server = await startServer();
  const before = await connect(server);
  before.close();
  const client = await connect(server);
  for (let attempt = 0; attempt < 20; attempt += 1) {
    client.subscribe('private-a', { auth: authorize(before.socketId, 'private-a') });
    expect(await client.next()).toBe(refusal('private-a', NO_MATCH));
  }
  expect(await client.join('private-a')).toBe(frames.subscribed('private-a'));
});

test('a signature holds for as long as its connection', async () => {
  const server = await startServer();
  const client = await connect(server);
  expect(await client.join('private-a')).toBe(frames.subscribed('private-a'));
  client.unsubscribe('private-a');
  expect(await client.join('private-a')).toBe(frames.subscribed('private-a'));
});

describe('a refusal', () => {
  const wrong = { auth: `${APP.key}:${'0'.repeat(64)}`, channel_data: '{"user_id":"7"}' };

  test('holds nothing that the client does not know', async () => {
    const server = await startServer();
    const client = await connect(server);
    client.subscribe('presence-a', wrong);
    expect(await client.next()).toBe(refusal('presence-a', NO_MATCH));
  });

  test('holds the text that should have been signed if the app says so', async () => {
    const server = await startServer({ app: { explainRefusals: true } });
    const client = await connect(server);
    const text = `${client.socketId}:presence-a:{"user_id":"7"}`;
    const explanation = `expected the HMAC SHA256 hex digest of ${JSON.stringify(text)}`;
    client.subscribe('presence-a', wrong);
    const unknown =
      'The signature matches no known mistake: most likely the backend uses a different secret, or signs a different text.';
    expect(await client.next()).toBe(refusal('presence-a', `${NO_MATCH}: ${explanation}. ${unknown}`));
    client.subscribe('presence-a', { ...wrong, auth: '' });
    const missing = '"auth" is missing: the endpoint must answer {"auth": "KEY:SIGNATURE"}.';
    expect(await client.next()).toBe(
      refusal('presence-a', `${NO_AUTH}: ${explanation}. ${missing}`, 'missing_auth'),
    );
  });

  test('holds the mistake of the backend if the app says so, and so does the log', async () => {
    const { log, lines } = recordLog();
    const server = await startServer({ app: { explainRefusals: true }, parts: { log } });
    const other = await connect(server);
    const client = await connect(server);
    const auth = `${APP.key}:${sign(APP.secret, channelText(other.socketId, 'private-a'))}`;
    client.subscribe('private-a', { auth });
    const mistake = `Another socket id was signed (${other.socketId}): the answer was cached, or the page has reconnected since.`;
    expect(await client.next()).toContain(mistake);
    expect(lines).toContainEqual(expect.objectContaining({ msg: 'subscription refused', mistake }));
  });

  test('looks for no more than ten mistakes a second', async () => {
    const server = await startServer({ app: { explainRefusals: true }, parts: { monotonic: () => 5_000 } });
    const client = await connect(server);
    const texts: unknown[] = [];
    for (let index = 0; index < 12; index++) {
      client.subscribe(`private-${index}`, { auth: `${APP.key}:${'0'.repeat(64)}` });
      texts.push(await client.next());
    }
    const explained = texts.filter((text) => String(text).includes('no known mistake'));
    expect(explained.length).toBe(10);
  });

  test('is logged with its reason, and with what was expected at debug', async () => {
    const { log, lines } = recordLog();
    const server = await startServer({ parts: { log } });
    const client = await connect(server);
    client.subscribe('presence-a', wrong);
    await client.next();
    const where = { appId: APP.id, key: APP.key, socketId: client.socketId, channel: 'presence-a' };
    const [line, detail] = lines.filter(({ msg }) => msg.startsWith('subscription refused'));
    expect(line).toMatchObject({ level: 30, ...where, type: 'AuthError', reason: NO_MATCH });
    expect(detail).toMatchObject({ level: 20, ...where });
    expect(detail!['explanation']).toContain('presence-a:{');
  });

  test('is logged without what was expected at info', async () => {
    const { log, lines } = recordLog('info');
    const server = await startServer({ parts: { log } });
    const client = await connect(server);
    client.subscribe('presence-a', wrong);
    await client.next();
    const refused = lines.filter(({ msg }) => msg.startsWith('subscription refused'));
    expect(refused).toMatchObject([{ reason: NO_MATCH }]);
    expect(JSON.stringify(lines)).not.toContain('presence-a:{');
  });

  test('and everything else is logged without a secret or a right signature', async () => {
    const { log, lines } = recordLog();
    const server = await startServer({ parts: { log } });
    const client = await connect(server);
    client.subscribe('private-a', { auth: authorize(client.socketId, 'private-b') });
    await client.next();
    await client.join('private-a');
    await client.signIn({});
    await client.signIn({ id: '7' });
    const text = JSON.stringify(lines);
    expect(text).toContain('subscription refused');
    expect(text).not.toContain(APP.secret);
    expect(text).not.toContain(authorize(client.socketId, 'private-a').split(':')[1]);
  });
});
