import { channelText, sign, userText } from '@countersign/sdk-server/signature';
import { describe, expect, test } from 'vitest';
import { App, appSchema } from '#server/apps/app';
import { KeyUsage } from '#server/apps/keys/key-usage';
import { diagnose } from '#server/console/diagnosis/diagnosis';
import { textDiff } from '#server/console/diagnosis/text-diff';

const OLD = { key: 'old-key', secret: 'old-secret' };
const NEW = { key: 'new-key', secret: 'new-secret' };
const app = new App(appSchema.parse({ id: 'app-1', keys: [OLD, NEW] }));

const SOCKET = '1234.5678';
const OTHER_SOCKET = '8765.4321';
const ROOM = 'presence-room';
const DATA = '{"user_id":"7","user_info":{"name":"Zoë / Ann"}}';
const recentNames = { socketIds: [OTHER_SOCKET], channels: ['presence-hall'] };

/** The diagnosis of a proof by one key over one text, for the presence room. */
function examine(text: string, { auth, data = DATA }: { auth?: unknown; data?: string } = {}) {
  const proof = auth === undefined ? `${OLD.key}:${sign(OLD.secret, text)}` : auth;
  return diagnose(app, { socketId: SOCKET, channel: ROOM, data }, proof, recentNames);
}

const right = channelText(SOCKET, ROOM, DATA);

describe('an invalid proof is explained', () => {
  test.each([1000, 100_000])(
    'data that is nested %d levels deep costs nothing and throws nothing',
    (depth) => {
      const data = `{"user_id":"7","a":${'['.repeat(depth)}${']'.repeat(depth)}}`;
      expect(examine(`${SOCKET}:other`, { data })).toMatchObject({ valid: false });
    },
  );

  test('large data and proofs are not diagnosed', () => {
    const data = JSON.stringify({ user_id: '7', a: 'x'.repeat(60_000) });
    expect(examine(channelText(SOCKET, ROOM), { data }).summary).toMatch(/more than 4096 characters/);
    expect(examine('', { auth: 'x'.repeat(60_000) }).summary).toMatch(/far too long/);
  });

  test('a valid proof is valid', () => {
    expect(examine(right)).toMatchObject({ valid: true, expected: right, signed: right, key: OLD.key });
  });

  test.each<[what: string, data: string, names: object, says: RegExp]>([
    [
      'a claim that there is not',
      '{"user_id":"7","countersign":{"expires":1}}',
      { claim: 'expires' },
      /Unknown claim "expires"/,
    ],
    ['a claim that is over', '{"user_id":"7","countersign":{"exp":1}}', { claim: 'exp' }, /has expired/],
  ])('a valid signature with %s', (_, data, names, says) => {
    const diagnosis = examine(channelText(SOCKET, ROOM, data), { data });
    expect(diagnosis).toMatchObject({ valid: false, key: OLD.key, ...names });
    expect(diagnosis.summary).toMatch(says);
  });

  test('a valid signature by a key that lacks the scope', () => {
    const keys = [{ ...OLD, scopes: ['subscribe:presence-hall'] }, NEW];
    const narrow = new App(appSchema.parse({ id: 'app-1', keys }));
    const of = (channel: string | undefined, data: string, text: string) =>
      diagnose(
        narrow,
        { socketId: SOCKET, channel, data },
        `${OLD.key}:${sign(OLD.secret, text)}`,
        recentNames,
      );
    expect(of(ROOM, DATA, right)).toMatchObject({ valid: false, scope: `subscribe:${ROOM}` });
    expect(of(undefined, '{"id":"7"}', userText(SOCKET, '{"id":"7"}'))).toMatchObject({ scope: 'sign_in' });
    expect(of('presence-hall', DATA, channelText(SOCKET, 'presence-hall', DATA)).valid).toBe(true);
  });

  test.each([
    [
      'another socket id',
      channelText(OTHER_SOCKET, ROOM, DATA),
      /another socket id was signed \(8765\.4321\)/i,
    ],
    [
      'another channel',
      channelText(SOCKET, 'presence-hall', DATA),
      /another channel was signed \(presence-hall\)/i,
    ],
    [
      'another prefix',
      channelText(SOCKET, 'private-room', DATA),
      /another channel was signed \(private-room\)/i,
    ],
    ['no prefix', channelText(SOCKET, 'room'), /another channel was signed \(room\); and the data was left/i],
    ['no channel data', channelText(SOCKET, ROOM), /the data was not signed/i],
    ['a sign-in instead', userText(SOCKET, DATA), /a sign-in was signed/i],
    ['the wrong order', `${ROOM}:${SOCKET}`, /wrong order/i],
    [
      'another socket id without the data',
      channelText(OTHER_SOCKET, ROOM),
      /another socket id.*data was left out/i,
    ],
  ])('%s', (_, signed, summary) => {
    const diagnosis = examine(signed);
    expect(diagnosis).toMatchObject({ valid: false, signed, expected: right, key: OLD.key });
    expect(diagnosis.summary).toMatch(summary);
  });

  test('the channel in lower case', () => {
    const claim = { socketId: SOCKET, channel: 'private-Room', data: '' };
    const auth = `${OLD.key}:${sign(OLD.secret, channelText(SOCKET, 'private-room'))}`;
    expect(diagnose(app, claim, auth, recentNames).summary).toMatch(/another channel .*\(private-room\)/i);
  });

  const printed = {
    'Python with spaces': '{"user_id": "7", "user_info": {"name": "Zo\\u00eb / Ann"}}',
    'PHP with escapes': '{"user_id":"7","user_info":{"name":"Zo\\u00eb \\/ Ann"}}',
    'other order of keys': '{"user_info":{"name":"Zoë / Ann"},"user_id":"7"}',
    'a number as the id': '{"user_id":7,"user_info":{"name":"Zoë / Ann"}}',
    indented: JSON.stringify(JSON.parse(DATA), null, 2),
  };
  for (const [name, data] of Object.entries(printed)) {
    test(`channel data serialized again: ${name}`, () => {
      const [sent, signed] = name === 'other order of keys' ? [data, DATA] : [DATA, data];
      const diagnosis = examine(channelText(SOCKET, ROOM, signed), { data: sent });
      expect(diagnosis).toMatchObject({ valid: false, signed: channelText(SOCKET, ROOM, signed) });
      expect(diagnosis.summary).toMatch(/serialized again/);
    });
  }

  test('channel data that was signed but not sent', () => {
    const diagnosis = diagnose(
      app,
      { socketId: SOCKET, channel: 'private-a', data: '' },
      `${OLD.key}:${sign(OLD.secret, `${SOCKET}:private-a:{}`)}`,
      recentNames,
    );
    expect(diagnosis.summary).toMatch(/signed as channel data, but not sent/);
  });

  test('a subscription in place of a sign-in', () => {
    const diagnosis = diagnose(
      app,
      { socketId: SOCKET, channel: undefined, data: '{"id":"7"}' },
      `${OLD.key}:${sign(OLD.secret, channelText(SOCKET, 'presence-hall', '{"id":"7"}'))}`,
      recentNames,
    );
    expect(diagnosis.summary).toMatch(/in place of a sign-in/);
    expect(diagnosis.expected).toBe(`${SOCKET}::user::{"id":"7"}`);
  });

  test('the secret of another key of the app', () => {
    const { summary, key } = examine(right, { auth: `${OLD.key}:${sign(NEW.secret, right)}` });
    expect(summary).toMatch(/names the key old-key, but the secret of new-key signed/);
    expect(key).toBe(NEW.key);
  });

  test.each([
    ['nothing', '', /"auth" is missing/],
    ['a number', 7, /not a string/],
    ['a text without a signature', 'old-key', /must be KEY:SIGNATURE, with/],
    ['upper-case hex', `old-key:${sign(OLD.secret, right).toUpperCase()}`, /lower case/],
    ['base64', `old-key:${Buffer.from(sign(OLD.secret, right), 'hex').toString('base64')}`, /base64/],
    ['no key', sign(OLD.secret, right), /does not name a key: expected "old-key:SIGNATURE"/],
    ['an unknown key', `stray:${sign(OLD.secret, right)}`, /names "stray", which is not a key of this app/],
    ['a key of another app', `stray:${sign('elsewhere', right)}`, /configured for another app/],
    ['a wrong secret', `old-key:${sign('guessed', right)}`, /uses a different secret/],
    ['a secret with a line break', `old-key:${sign('old-secret\n', right)}`, /ends with a line break/],
    ['a secret in quotes', `old-key:${sign('"old-secret"', right)}`, /quotes around it/],
  ])('the form of the proof: %s', (_, auth, summary) => {
    expect(examine('', { auth }).summary).toMatch(summary);
  });

  test('a diagnosis contains no secret', () => {
    const proofs = [right, channelText(OTHER_SOCKET, ROOM), 'anything'].map((text) => examine(text));
    proofs.push(examine(right, { auth: `old-key:${sign('old-secret\n', right)}` }));
    expect(JSON.stringify(proofs)).not.toMatch(/old-secret|new-secret/);
  });

  test('it gives up after a bounded number of tries', () => {
    const socketIds = Array.from({ length: 100_000 }, (_, n) => `${n}.1`);
    const proof = `old-key:${sign(OLD.secret, channelText('99999.1', ROOM, DATA))}`;
    const claim = { socketId: SOCKET, channel: ROOM, data: DATA };
    expect(diagnose(app, claim, proof, { socketIds, channels: [] }).summary).toMatch(
      /matches no known mistake/,
    );
  });
});

test('two texts differ in their smallest middle part of whole words, which cuts no character', () => {
  expect(textDiff('1.23:room:a', '1.33:room:a')).toEqual({ start: 0, end: 7 });
  expect(textDiff('1.2:private-room:{}', '1.2:private-loom:{}')).toEqual({ start: 4, end: 3 });
  expect(textDiff('{"a":"b"}', '{"a": "b"}')).toEqual({ start: 5, end: 4 });
  expect(textDiff('abc', 'abc')).toEqual({ start: 3, end: 0 });
  expect(textDiff('a b', 'a b b')).toEqual({ start: 2, end: 0 });
  expect(textDiff('"😀"', '"😁"')).toEqual({ start: 1, end: 1 });
  expect(textDiff('', 'a')).toEqual({ start: 0, end: 0 });
});

test('the uses of a key are counted by the hour', () => {
  const minute = 60_000;
  const uses = new KeyUsage();
  const start = Date.UTC(2025, 0, 1);
  expect(uses.of('key-1', start)).toBeUndefined();
  uses.count('key-1', 'subscribe', start);
  uses.count('key-1', 'read', start + 59 * minute);
  expect(uses.of('key-1', start + 59 * minute)).toEqual({
    channels: 1,
    users: 0,
    requests: 1,
    lastHour: 2,
    lastAt: start + 59 * minute,
  });
  expect(uses.of('key-1', start + 60 * minute)).toMatchObject({ lastHour: 1 });
  expect(uses.of('key-1', start + 10_000 * minute)).toMatchObject({ channels: 1, lastHour: 0 });
});
