import { Countersign } from '@countersign/sdk-server';
import {
  type AccessRule,
  type AuthUser,
  authRouter,
  hasRole,
  inGroup,
  type Policy,
  policy,
} from '@countersign/sdk-server/express';
import type { Request } from 'express';
import fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { numRuns } from '../helpers/property.ts';
import { app } from '../packages/vectors.ts';

interface User extends AuthUser {
  readonly roles?: readonly string[];
  readonly groups?: readonly string[];
}

const req = {} as Request;
const ann: User = { id: 'ann', roles: ['editor'], groups: ['staff', 'team-7'] };

/** The values that a rule gets for a channel, or undefined where no rule is asked. */
async function valuesOf(pattern: string, channel: string): Promise<unknown> {
  let values: unknown;
  const access = policy<User>().channel(pattern, ({ params }) => {
    values = params;
    return true;
  });
  const isAllowed = await access.canAccess(ann, channel, req);
  expect(isAllowed).toBe(values !== undefined);
  return values;
}

const may = (access: Policy<User>, channel: string, user: User = ann) => access.canAccess(user, channel, req);
const refusal = (message: RegExp) =>
  expect.objectContaining({ code: 'invalid_options', message: expect.stringMatching(message) });

describe('a policy', () => {
  test('lets nobody in where it says nothing', async () => {
    expect(await may(policy(), 'private-a')).toBe(false);
    const access = policy<User>().channel('private-a', () => true);
    expect(await may(access, 'private-a')).toBe(true);
    for (const channel of ['private-b', 'private-aa', 'private-a ', 'private-a\n', 'presence-a', 'a', '']) {
      expect(await may(access, channel), channel).toBe(false);
    }
  });

  test('asks the rule of the one pattern that means the channel, with all there is to know', async () => {
    const asked: unknown[] = [];
    const access = policy<User>()
      .channel('private-user-{userId}', (request) => asked.push(request) > 0)
      .channel('private-room-{room}', () => false);
    expect(await may(access, 'private-user-ann')).toBe(true);
    expect(asked).toEqual([{ user: ann, params: { userId: 'ann' }, channel: 'private-user-ann', req }]);
    expect(await may(access, 'private-room-1')).toBe(false);
  });

  test.each([false, undefined, null, 1, 'true', {}, Promise.resolve('yes')])(
    'says no where a rule says %j',
    async (says) => {
      const access = policy<User>().channel('private-a', () => says as boolean);
      expect(await may(access, 'private-a')).toBe(false);
    },
  );

  test('passes on what a rule throws', async () => {
    const access = policy<User>().channel('private-a', () => Promise.reject(new Error('fire')));
    await expect(may(access, 'private-a')).rejects.toThrow('fire');
  });

  test('serves authRouter, which refuses to start without user(req)', () => {
    const countersign = new Countersign({ appId: app.id, key: app.key, secret: app.secret });
    const { canAccess } = policy<User>().channel('private-a', () => true);
    expect(authRouter(countersign, { user: () => ann, canAccess })).toBeTypeOf('function');
    expect(() => authRouter(countersign, { canAccess } as never)).toThrow(refusal(/user\(req\)/));
  });

  test('knows the names of the values and what the user has', () => {
    policy<User>()
      .channel('private-doc-{team}.{doc}', ({ params, user }) => {
        expectTypeOf(params).toEqualTypeOf<Readonly<Record<'team' | 'doc', string>>>();
        expectTypeOf(user).toEqualTypeOf<User>();
        return true;
      })
      // @ts-expect-error the pattern has no {rom}
      .channel('presence-room-{room}', inGroup('{rom}'));
    // @ts-expect-error these users have no roles
    policy<{ id: string; name: string }>().channel('private-a', hasRole('admin'));
  });
});

describe('a pattern', () => {
  test.each<[pattern: string, channel: string, values: object | undefined]>([
    ['private-user-{userId}', 'private-user-ann', { userId: 'ann' }],
    ['private-user-{userId}', 'private-user-a-b_c=d@e,f.g;h', { userId: 'a-b_c=d@e,f.g;h' }],
    ['private-user-{userId}', 'private-user-', undefined],
    ['private-user-{userId}', 'private-user-a:b', undefined],
    ['private-user-{userId}', 'private-user-ä', undefined],
    ['private-user-{userId}', 'private-user-ann\n', undefined],
    ['private-user-{userId}', 'Private-user-ann', undefined],
    ['private-user-{userId}', 'x-private-user-ann', undefined],
    ['private-{room}-inbox', 'private-a-inbox-inbox', { room: 'a-inbox' }],
    ['private-doc-{team}.{doc}', 'private-doc-a-b.c-d', { team: 'a-b', doc: 'c-d' }],
    ['private-doc-{team}.{doc}', 'private-doc-a.b.c', undefined],
    ['private-doc-{team}.{doc}', 'private-doc-.b', undefined],
    ['private-{a}-and-{b}', 'private-x-and-y', { a: 'x', b: 'y' }],
    ['private-{a}-and-{b}', 'private-x-and-and-y', undefined],
    ['private-a.b', 'private-axb', undefined],
    ['private-{a}', 'private-encrypted-a', undefined],
    ['private-encrypted-{a}', 'private-encrypted-a', { a: 'a' }],
    ['presence-cache-{a}', 'presence-cache-a', { a: 'a' }],
    ['private-{constructor}', 'private-a', { constructor: 'a' }],
  ])('%s reads %j as %j', async (pattern, channel, values) => {
    expect(await valuesOf(pattern, channel)).toEqual(values);
  });

  test.each([
    ['private-{a}{b}', /between two names/],
    ['private-{a}x{b}', /between two names/],
    ['private-{a}.{a}', /each name once/],
    ['private-{a', /channel characters/],
    ['private-a}', /channel characters/],
    ['private-{}', /channel characters/],
    ['private-{a.b}', /channel characters/],
    ['private-{__proto__}', /channel characters/],
    ['private-(.*)', /channel characters/],
    ['private-a|presence-b', /channel characters/],
    ['private-{{a}}', /channel characters/],
    ['news', /begins with/],
    ['{kind}-a', /begins with/],
    ['#server-to-user-{id}', /begins with/],
    ['', /begins with/],
  ])('%j is refused', (pattern, message) => {
    expect(() => policy().channel(pattern, () => true)).toThrow(refusal(message));
  });

  test.each([
    ['private-a', 'private-a', true],
    ['private-a', 'private-b', false],
    ['private-{a}', 'private-b', true],
    ['private-user-{a}', 'private-room-{a}', false],
    ['private-user-{a}', 'private-user-{a}-inbox', true],
    ['private-{a}.{b}', 'private-x-{c}', true],
    ['private-{a}.{b}', 'private-x', false],
    ['private-{a}.{b}', 'private-{a};{b}', true],
    ['private-{a}-x', 'private-{b}-y', false],
    ['private-{a}', 'presence-{a}', false],
    ['private-{a}', 'private-encrypted-{a}', false],
    ['private-encrypted-{a}', 'private-encrypted-b', true],
  ])('%s beside %s is refused: %s', (first, second, isRefused) => {
    for (const [one, other] of [
      [first, second],
      [second, first],
    ]) {
      const both = () =>
        policy()
          .channel(one!, () => true)
          .channel(other!, () => true);
      if (isRefused) expect(both).toThrow(refusal(/can match the same channel/));
      else expect(both).not.toThrow();
    }
  });

  test('that means a channel which another one means is always refused', () => {
    const piece = fc.constantFrom('a', 'b', '-', '.', 'ab', '{x}', '{y}');
    const texts = fc
      .array(piece, { minLength: 1, maxLength: 5 })
      .map((pieces) => `private-${pieces.join('')}`);
    const endings = fc.string({ unit: fc.constantFrom('a', 'b', '-', '.'), minLength: 1, maxLength: 6 });
    const accepted = (pattern: string) => {
      try {
        return policy().channel(pattern, () => true);
      } catch {
        return undefined;
      }
    };
    const property = fc.asyncProperty(texts, texts, endings, async (first, second, ending) => {
      const one = accepted(first);
      const other = accepted(second);
      if (!one || !other) return;
      const channel = `private-${ending}`;
      if ((await may(one, channel)) && (await may(other, channel))) {
        expect(() => one.channel(second, () => true)).toThrow(refusal(/same channel/));
      }
    });
    return fc.assert(property, { numRuns: numRuns(2000) });
  });

  test('is read in time, whatever the name', async () => {
    const name = `private-${'a-'.repeat(95)}`;
    expect(await valuesOf('private-{a}-x', name)).toBeUndefined();
    expect(await valuesOf('private-{a}-{b}-{c}-x', name)).toBeUndefined();
  });
});

describe('hasRole', () => {
  test.each([
    [['editor'], true],
    [['admin', 'editor'], true],
    [['admin'], false],
    [[], false],
    ['chief-editor', false],
    [undefined, false],
  ])('with the roles %j: %s', async (roles, expected) => {
    const access = policy<User>().channel('private-a', hasRole('editor', 'owner'));
    expect(await may(access, 'private-a', { id: 'bob', roles: roles as string[] })).toBe(expected);
  });
});

describe('inGroup', () => {
  test('asks for a group by name, or by the name of the channel', async () => {
    const access = policy<User>()
      .channel('private-staff', inGroup('staff'))
      .channel('private-boss', inGroup('bosses'))
      .channel('presence-team-{team}', inGroup('team-{team}'))
      .channel('private-group-{group}', inGroup('{group}'));
    const open: string[] = [];
    for (const channel of [
      'private-staff',
      'private-boss',
      'presence-team-7',
      'presence-team-8',
      'private-group-staff',
      'private-group-sta',
    ]) {
      if (await may(access, channel)) open.push(channel);
      expect(await may(access, channel, { id: 'bob' })).toBe(false);
      expect(await may(access, channel, { id: 'bob', groups: 'staff team-7' as never })).toBe(false);
    }
    expect(open).toEqual(['private-staff', 'presence-team-7', 'private-group-staff']);
  });

  test('refuses what it could not understand', async () => {
    expect(() => inGroup('{a}-{b}')).toThrow(refusal(/more than one/));
    expect(() => inGroup('{a')).toThrow(refusal(/other half/));
    const rule = inGroup('{toString}') as AccessRule<User, unknown>;
    const access = policy<User>().channel('private-a', rule);
    await expect(may(access, 'private-a')).rejects.toThrow(refusal(/No \{toString\}/));
  });
});
