import { Countersign, type GrantOptions } from '@countersign/sdk-server';
import { channelText, userText, verify } from '@countersign/sdk-server/signature';
import { describe, expect, test } from 'vitest';
import { app, channelVectors, MASTER_KEY } from '../packages/vectors.ts';

/** 14 November 2023; half a second later, so that fractions show. */
const NOW = 1_700_000_000;

const countersign = new Countersign({
  appId: app.id,
  key: app.key,
  secret: app.secret,
  encryptionMasterKeyBase64: MASTER_KEY,
  now: () => NOW * 1000 + 500,
});

const invalid = (message?: RegExp) =>
  expect.objectContaining({
    code: 'invalid_grant',
    ...(message && { message: expect.stringMatching(message) }),
  });

/** Checks the signature of a grant, and returns what it says. */
function read(channel: string, options: GrantOptions, data?: object): Record<string, unknown> {
  const { auth, channel_data: text } = countersign.authorizeChannel('1.2', channel, data, options);
  const signature = auth.slice(app.key.length + 1);
  expect(verify(app.secret, channelText('1.2', channel, text), signature)).toBe(true);
  return JSON.parse(text!) as Record<string, unknown>;
}

describe('the claims of a channel', () => {
  test.each(['private-a', 'private-encrypted-a', 'private-cache-a'])('ride in the data of %s', (channel) => {
    expect(read(channel, { ttl: 900, id: 'g-1', user: 'ann' })).toEqual({
      countersign: { id: 'g-1', iat: NOW, exp: NOW + 900, user: 'ann' },
    });
  });

  test('stand beside the member of a presence channel, and beside data of the app', () => {
    const member = { user_id: 'ann', user_info: { name: 'Zoë' } };
    const claims = { id: 'g-1', iat: NOW, exp: NOW + 1 };
    expect(read('presence-a', { ttl: 1, id: 'g-1' }, member)).toEqual({ ...member, countersign: claims });
    expect(read('private-a', { ttl: 1, id: 'g-1' }, { team: 7 })).toEqual({ team: 7, countersign: claims });
  });

  test('leave the member to the sign-in where there is none', () => {
    expect(read('presence-a', { ttl: 1, id: 'g-1' })).toEqual({
      countersign: { id: 'g-1', iat: NOW, exp: NOW + 1 },
    });
  });

  test('say all that narrows it', () => {
    expect(read('private-a', { ttl: 60, may: ['subscribe'], once: true, rate: 3, id: 'g-1' })).toEqual({
      countersign: { id: 'g-1', iat: NOW, exp: NOW + 60, may: ['subscribe'], once: true, rate: 3 },
    });
  });

  test('have no end without a ttl', () => {
    expect(read('private-a', { may: ['subscribe'], id: 'g-1' })).toEqual({
      countersign: { id: 'g-1', iat: NOW, may: ['subscribe'] },
    });
  });

  test('have an id of their own where none is given', () => {
    const ids = [read('private-a', { ttl: 1 }), read('private-a', { ttl: 1 })].map(
      ({ countersign: claims }) => (claims as { id: string }).id,
    );
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
  });

  test('do not count towards the size of a member', () => {
    const member = { user_id: 'ann', user_info: { text: 'x'.repeat(970) } };
    expect(read('presence-a', { ttl: 1 }, member)).toMatchObject(member);
    const large = { user_id: 'ann', user_info: { text: 'x'.repeat(1024) } };
    expect(() => read('presence-a', { ttl: 1 }, large)).toThrow(
      expect.objectContaining({ code: 'too_large' }),
    );
  });

  test.each(channelVectors.filter(({ foreign }) => !foreign))(
    'leave the signature of vector $id as it was where there are none',
    ({ socketId, channel, channelData, signature }) => {
      const data = channelData === undefined ? undefined : (JSON.parse(channelData) as object);
      for (const options of [undefined, {}, { ttl: undefined }])
        expect(countersign.authorizeChannel(socketId, channel, data, options)).toMatchObject({
          auth: `${app.key}:${signature}`,
          ...(channelData !== undefined && { channel_data: channelData }),
        });
    },
  );

  test.each<[what: string, options: object, message: RegExp]>([
    ['no time', { ttl: 0 }, /^ttl of a grant must be whole seconds from 1/],
    ['half a second', { ttl: 1.5 }, /^ttl/],
    ['text as a ttl', { ttl: '900' }, /^ttl/],
    ['null as a ttl', { ttl: null }, /^ttl/],
    ['more time than a timer has', { ttl: 2 ** 31 }, /^ttl/],
    ['nothing allowed', { may: [] }, /^may/],
    ['publishing alone', { may: ['publish'] }, /^may/],
    ['an unknown action', { may: ['subscribe', 'fly'] }, /^may/],
    ['text as actions', { may: 'subscribe' }, /^may/],
    ['once without an end', { once: true }, /once needs a ttl/],
    ['once as text', { once: 'true', ttl: 1 }, /^once/],
    ['no events a second', { rate: 0 }, /^rate/],
    ['nobody', { user: '' }, /^user/],
    ['a user with a long id', { user: 'x'.repeat(129) }, /^user/],
    ['an id with a space', { id: 'g 1' }, /^id/],
    ['a long id', { id: 'x'.repeat(65) }, /^id/],
    ['a misspelled option', { tll: 900 }, /Unknown option "tll"/],
  ])('are refused for %s', (_, options, message) => {
    expect(() => countersign.authorizeChannel('1.2', 'private-a', undefined, options)).toThrow(
      invalid(message),
    );
  });

  test('are refused beside claims that the data has already', () => {
    const data = { countersign: { exp: NOW } };
    expect(() => countersign.authorizeChannel('1.2', 'private-a', data, { ttl: 1 })).toThrow(invalid());
    expect(countersign.authorizeChannel('1.2', 'private-a', data).channel_data).toBe(JSON.stringify(data));
  });
});

describe('the claims of a sign-in', () => {
  const user = { id: 'ann', user_info: { name: 'Ann' }, watchlist: ['bob'] };

  test('stand in the data of the user', () => {
    const { auth, user_data: text } = countersign.authenticateUser('1.2', user, { ttl: 900, id: 'g-1' });
    expect(verify(app.secret, userText('1.2', text), auth.slice(app.key.length + 1))).toBe(true);
    expect(JSON.parse(text)).toEqual({ ...user, countersign: { id: 'g-1', iat: NOW, exp: NOW + 900 } });
  });

  test('are not there without options', () => {
    const { user_data: text } = countersign.authenticateUser('1.2', user);
    expect(text).toBe(JSON.stringify(user));
  });

  test('do not count towards the size of the user', () => {
    const large = { id: 'ann', user_info: { text: 'x'.repeat(980) } };
    expect(countersign.authenticateUser('1.2', large, { ttl: 1 }).user_data).toContain('"exp"');
  });

  test.each([{ ttl: 0 }, { may: ['subscribe'] }, { once: true, ttl: 1 }])('are refused for %j', (options) => {
    expect(() => countersign.authenticateUser('1.2', user, options as { ttl?: number })).toThrow(invalid());
  });
});
