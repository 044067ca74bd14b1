import { Countersign } from '@countersign/sdk-server';
import {
  canonicalQuery,
  channelText,
  isChannelName,
  isSocketId,
  isUserId,
  parseProof,
  requestText,
  sign,
  userChannel,
  userOfChannel,
  userText,
  verify,
} from '@countersign/sdk-server/signature';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { numRuns } from '../helpers/property.ts';
import { app, forgeries } from './vectors.ts';

fc.configureGlobal({ numRuns: numRuns(100) });

const countersign = new Countersign({ appId: app.id, key: app.key, secret: app.secret });

const DIGITS = '0123456789';
const NAME = `ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz${DIGITS}_-=@,.;`;

const from = (characters: string) => fc.constantFrom(...characters);
const text = fc.string({ unit: 'binary' });
const digits = fc.string({ unit: from(DIGITS), minLength: 1, maxLength: 20 });
const socketId = fc.tuple(digits, digits).map(([a, b]) => `${a}.${b}`);
const channel = fc.string({ unit: from(NAME), minLength: 1, maxLength: 200 });
const privateChannel = channel.map((name) => `private-${name}`.slice(0, 200));
/** Names and ids that are nearly right: what an attacker tries. */
const nearly = fc.string({ unit: from(`${NAME}:#/\n\r\0 "{}é٣`), maxLength: 20 });
const jsonObject = fc.dictionary(fc.string(), fc.jsonValue());

/** What a socket id is, told without a regular expression. */
function isDescribedSocketId(value: string): boolean {
  const parts = value.split('.');
  return value.length <= 64 && parts.length === 2 && parts.every((part) => consistsOf(part, DIGITS));
}

function consistsOf(value: string, characters: string): boolean {
  return value.length > 0 && Array.from(value).every((character) => characters.includes(character));
}

describe('a signature', () => {
  test('is verified by the text and secret that made it', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), text, (secret, signed) => {
        const signature = sign(secret, signed);
        expect(signature).toMatch(/^[0-9a-f]{64}$/);
        expect(verify(secret, signed, signature)).toBe(true);
        expect(verify(secret, Buffer.from(signed), signature)).toBe(true);
        expect(verify(`${secret}x`, signed, signature)).toBe(false);
        expect(verify(secret, `${signed}x`, signature)).toBe(false);
      }),
    );
  });

  test('is refused when one bit of the text changed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), fc.nat(), (signed, at) => {
        const signature = sign(app.secret, signed);
        expect(verify(app.secret, flipped(signed, at), signature)).toBe(false);
      }),
    );
  });

  test('is refused when one bit of it changed', () => {
    fc.assert(
      fc.property(text, fc.nat(), (signed, at) => {
        const changed = flipped(Buffer.from(sign(app.secret, signed), 'hex'), at).toString('hex');
        expect(verify(app.secret, signed, changed)).toBe(false);
      }),
    );
  });

  test('is refused unless it is 64 lower-case hex digits', () => {
    fc.assert(
      fc.property(text, fc.anything(), fc.nat(63), (signed, anything, length) => {
        const signature = sign(app.secret, signed);
        expect(verify(app.secret, signed, anything)).toBe(false);
        expect(verify(app.secret, signed, signature.slice(0, length))).toBe(false);
        expect(verify(app.secret, signed, `${signature}\n`)).toBe(false);
        const capitals = signature.toUpperCase();
        expect(verify(app.secret, signed, capitals)).toBe(capitals === signature);
      }),
    );
  });

  test('comes out of a proof again, whatever the key is', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), text, (key, signed) => {
        const signature = sign(app.secret, signed);
        expect(parseProof(`${key}:${signature}`)).toEqual({ key, signature });
        expect(parseProof(`:${signature}`)).toBeUndefined();
        expect(parseProof(`${key}${signature}`)?.signature).not.toBe(`${key}${signature}`);
      }),
    );
  });
});

describe('the four signed texts', () => {
  const path = fc.webPath();
  const query = fc
    .dictionary(fc.string(), fc.string())
    .map((params) => canonicalQuery(Object.entries(params)));
  const families = {
    channel: fc
      .tuple(socketId, channel, fc.option(jsonObject, { nil: undefined }))
      .map(([id, name, data]) => channelText(id, name, data && JSON.stringify(data))),
    user: fc.tuple(socketId, jsonObject).map(([id, data]) => userText(id, JSON.stringify(data))),
    request: fc
      .tuple(fc.constantFrom('GET', 'POST'), path, query)
      .map(([method, where, what]) => requestText(method, where, what)),
    webhook: jsonObject.map((body) => JSON.stringify(body)),
  };

  /** Which family a text belongs to, told by nothing but the text. */
  function familyOf(signed: string): keyof typeof families {
    if (signed.startsWith('{')) return 'webhook';
    if (/^[A-Z]+\n/.test(signed)) return 'request';
    const [id = '', name = ''] = signed.split(':');
    if (!isDescribedSocketId(id)) throw new Error(`No family: ${signed}`);
    return name === '' ? 'user' : 'channel';
  }

  test.each(Object.entries(families))('%s texts belong to no other family', (family, texts) => {
    fc.assert(
      fc.property(texts, (signed) => {
        expect(familyOf(signed)).toBe(family);
      }),
    );
  });

  test('say one thing only: parts that differ make texts that differ', () => {
    const parts = fc.tuple(
      socketId,
      channel,
      fc.option(
        jsonObject.map((data) => JSON.stringify(data)),
        { nil: undefined },
      ),
    );
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        expect(channelText(...a) === channelText(...b)).toBe(a.every((part, index) => part === b[index]));
      }),
    );
  });

  test('of a query do not depend on the order of its parameters', () => {
    const parameters = fc.uniqueArray(fc.tuple(fc.string(), fc.string()), {
      selector: ([name]) => name.toLowerCase(),
    });
    fc.assert(
      fc.property(parameters, (given) => {
        expect(canonicalQuery(given.toReversed())).toBe(canonicalQuery(given));
      }),
    );
  });
});

describe('names and ids', () => {
  const candidates = fc.oneof(text, nearly, socketId, channel, fc.string({ unit: from(`${DIGITS}.`) }));

  test('a socket id is digits, a dot, digits', () => {
    fc.assert(fc.property(candidates, (value) => isSocketId(value) === isDescribedSocketId(value)));
  });

  test('a channel name is 1 to 200 of its characters', () => {
    fc.assert(
      fc.property(candidates, fc.nat(250), (value, length) => {
        expect(isChannelName(value)).toBe(value.length <= 200 && consistsOf(value, NAME));
        expect(isChannelName('a'.repeat(length))).toBe(length >= 1 && length <= 200);
        expect(isUserId('a'.repeat(length))).toBe(length >= 1 && length <= 128);
      }),
    );
  });

  test('nothing but a string is a name or an id', () => {
    const others = fc.anything().filter((value) => typeof value !== 'string');
    fc.assert(
      fc.property(others, (value) => {
        expect([isSocketId(value), isChannelName(value), isUserId(value)]).toEqual([false, false, false]);
      }),
    );
  });

  test('a user channel leads back to its user, and is no name that a client may choose', () => {
    fc.assert(
      fc.property(candidates, (id) => {
        expect(userOfChannel(userChannel(id))).toBe(isUserId(id) ? id : undefined);
        expect(isChannelName(userChannel(id))).toBe(false);
      }),
    );
  });
});

describe('the SDK signs', () => {
  test('every valid request for a channel, and so that it verifies', () => {
    fc.assert(
      fc.property(socketId, privateChannel, fc.option(jsonObject, { nil: undefined }), (id, name, data) => {
        fc.pre(!name.startsWith('private-encrypted-'));
        const grant = countersign.authorizeChannel(id, name, data);
        const proof = parseProof(grant.auth);
        expect(proof?.key).toBe(app.key);
        expect(verify(app.secret, channelText(id, name, grant.channel_data), proof?.signature)).toBe(true);
      }),
    );
  });

  test('nothing for a forged socket id or channel name', () => {
    const inserted = fc.constantFrom(
      ...forgeries.map(({ text: signed }) => signed),
      ':',
      '\n',
      '::user::',
      '#',
    );
    fc.assert(
      fc.property(socketId, privateChannel, inserted, fc.nat(), (id, name, forgery, at) => {
        const forgedId = insertedAt(id, forgery, at);
        const forgedName = insertedAt(name, forgery, at);
        expect(() => countersign.authorizeChannel(forgedId, name)).toThrow('Invalid socket id');
        expect(() => countersign.authenticateUser(forgedId, { id: '7' })).toThrow('Invalid socket id');
        expect(() => countersign.authorizeChannel(id, forgedName)).toThrow('Invalid channel name');
        expect(() => countersign.authenticateUser(id, { id: forgedName })).toThrow('Invalid user id');
      }),
    );
  });

  test('nothing for anything else', () => {
    const anything = fc.oneof(fc.anything(), nearly);
    fc.assert(
      fc.property(anything, anything, (id, name) => {
        fc.pre(!isSocketId(id) || !isChannelName(name));
        // Untyped callers pass whatever they were sent.
        expect(() => countersign.authorizeChannel(id as string, name as string)).toThrow(/^Invalid/);
      }),
    );
  });
});

function flipped(bytes: Uint8Array, at: number): Buffer {
  const changed = Buffer.from(bytes);
  const index = at % changed.length;
  changed[index]! ^= 1 << (at % 8);
  return changed;
}

function insertedAt(value: string, inserted: string, at: number): string {
  const index = at % (value.length + 1);
  return value.slice(0, index) + inserted + value.slice(index);
}
