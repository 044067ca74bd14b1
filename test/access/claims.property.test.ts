import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CLAIMS, ClaimRefusal, readClaims } from '#server/access/claims';
import { removeMember } from '#server/protocol/json-text';
import { numRuns } from '../helpers/property.ts';

const NOW = 1_795_000_000_000;
const SECOND = NOW / 1000;
const RUNS = { numRuns: numRuns(300) };

const from = (characters: string) => fc.constantFrom(...characters);
const id = fc.string({ unit: from('AZaz09_-'), minLength: 1, maxLength: 64 });
const digits = fc.string({ unit: from('0123456789'), minLength: 1, maxLength: 20 });
/** Every claim in every form that is right, together with what makes it right. */
const validClaims = fc
  .record(
    {
      id,
      iat: fc.integer({ min: 0, max: SECOND + 60 }),
      exp: fc.integer({ min: SECOND + 1, max: 2 ** 40 }),
      user: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
      may: fc.constantFrom<readonly string[]>(
        ['subscribe'],
        ['subscribe', 'publish'],
        ['publish', 'subscribe'],
      ),
      once: fc.constant(true),
      rate: fc.integer({ min: 1, max: 1000 }),
      previous_socket_id: fc.tuple(digits, digits).map(([a, b]) => `${a}.${b}`),
    },
    { requiredKeys: ['id', 'exp'] },
  )
  .map((claims) => ({ ...claims }));
const space = fc.string({ unit: from(' \n\t\r'), maxLength: 3 });
/** Another member of signed data, as text. */
const member = fc
  .tuple(fc.string(), fc.jsonValue(), space, space)
  .filter(([name]) => name !== CLAIMS && name !== '__proto__')
  .map(([name, value, a, b]) => `${JSON.stringify(name)}${a}:${b}${JSON.stringify(value)}`);

function read(text: string, scope: 'channel' | 'sign-in' = 'channel') {
  return readClaims(JSON.parse(text), text, scope, NOW);
}

function faultOf(claims: unknown, scope?: 'channel' | 'sign-in'): string | undefined {
  try {
    read(JSON.stringify({ [CLAIMS]: claims }), scope);
    return undefined;
  } catch (error) {
    if (error instanceof ClaimRefusal) return error.code;
    throw error;
  }
}

describe('claims', () => {
  test('are read where they stand, and what is left is what was signed beside them', () => {
    fc.assert(
      fc.property(
        fc.array(member, { maxLength: 4 }),
        fc.nat(4),
        validClaims,
        space,
        (members, place, claims, gap) => {
          const all = [...members];
          all.splice(
            Math.min(place, members.length),
            0,
            `${gap}"countersign"${gap}:${JSON.stringify(claims)}`,
          );
          const { claims: found, text } = read(`{${all.join(`${gap},${gap}`)}}`);
          expect(text).toBe(`{${members.join(',')}}`);
          expect(found).toEqual({
            id: claims.id,
            issuedAt: claims.iat,
            expiresAt: claims.exp,
            userId: claims.user,
            mayPublish: claims.may?.includes('publish') ?? true,
            once: claims.once ?? false,
            rate: claims.rate,
            previousSocketId: claims.previous_socket_id,
          });
        },
      ),
      RUNS,
    );
  });

  test('are absent where the word is only inside of other values, and then nothing is changed', () => {
    fc.assert(
      fc.property(fc.array(member, { maxLength: 4 }), (members) => {
        const text = `{${[...members, '"user_info" : {"countersign": {"exp": 1}}'].join()}}`;
        expect(read(text)).toEqual({ claims: undefined, text });
      }),
      RUNS,
    );
  });

  test('never accept a value of another form', () => {
    const wrong: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
      id: fc.oneof(fc.constantFrom('', 'a b', 'ä', 'a'.repeat(65), 7, null), fc.array(id)),
      iat: fc.oneof(
        fc.double().filter((n) => !Number.isInteger(n)),
        digits,
        fc.constant(SECOND + 61),
      ),
      exp: fc.oneof(
        fc.double().filter((n) => !Number.isInteger(n)),
        digits,
        fc.constant(null),
      ),
      user: fc.constantFrom('', 'u'.repeat(129), 7, null, '\ud800'),
      may: fc.constantFrom('subscribe', ['subscribe', 'read'], null, { subscribe: true }),
      once: fc.constantFrom(false, 1, 'true', null),
      rate: fc.constantFrom(0, -1, 1.5, '1', null),
      previous_socket_id: fc.constantFrom('', '1', '1.x', 7, null),
    };
    for (const [name, values] of Object.entries(wrong)) {
      fc.assert(
        fc.property(values, (value) => {
          expect(faultOf({ id: 'g', exp: SECOND + 1, [name]: value })).toBe('claim_invalid');
        }),
        { numRuns: numRuns(30) },
      );
    }
  });

  test('are refused for what they are not', () => {
    for (const claims of [null, [], 'exp', 1, true]) expect(faultOf(claims)).toBe('claim_invalid');
    expect(faultOf({})).toBeUndefined();
    expect(faultOf({ exp: SECOND })).toBe('grant_expired');
    expect(faultOf({ exp: SECOND + 1 })).toBeUndefined();
    expect(faultOf({ may: ['publish'] })).toBe('grant_without_subscribe');
    expect(faultOf({ may: [] })).toBe('grant_without_subscribe');
    expect(faultOf({ once: true, exp: SECOND + 1 })).toBe('claim_invalid');
    expect(faultOf({ once: true, id: 'g' })).toBe('claim_invalid');
    for (const name of ['expires', 'EXP', 'constructor', 'toString', ''])
      expect(faultOf({ [name]: 1 })).toBe('claim_unknown');
    expect(() => read('{"countersign":{"exp":9999999999,"__proto__":1}}')).toThrow(
      /Unknown claim "__proto__"/,
    );
    expect(() => read('{"countersign":{"exp":9999999999},"\\u0063ountersign":{}}')).toThrow('repeated');
  });

  test('of a sign-in are id, iat and exp only', () => {
    expect(faultOf({ id: 'g', iat: SECOND, exp: SECOND + 1 }, 'sign-in')).toBeUndefined();
    for (const [name, value] of Object.entries({
      user: 'a',
      may: ['subscribe'],
      once: true,
      rate: 1,
      previous_socket_id: '1.2',
    }))
      expect(faultOf({ id: 'g', exp: SECOND + 1, [name]: value }, 'sign-in')).toBe('claim_unknown');
  });

  test('leave JSON that JSON.parse reads as the same object without them', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), (object, value) => {
        const { [CLAIMS]: _, ...rest } = JSON.parse(JSON.stringify(object));
        const { text, removed } = removeMember(JSON.stringify({ ...object, [CLAIMS]: value }), CLAIMS);
        expect(removed).toBe(1);
        expect(JSON.parse(text)).toEqual(rest);
      }),
      RUNS,
    );
  });
});
