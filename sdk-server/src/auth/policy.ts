import type { Request } from 'express';
import { assertOption } from '../assert.ts';
import { ChannelPattern, type Params, splitPattern } from '../channel-pattern.ts';
import { quoted } from '../checks.ts';
import { type Access, checkGrantTerms, type GrantTerms } from './access.ts';
import type { AuthUser } from './auth-options.ts';

/** A request of a user for a channel, as an {@link AccessRule} receives it. */
export interface AccessRequest<User, Values> {
  readonly user: User;
  /** Values of the pattern's placeholders. */
  readonly params: Values;
  readonly channel: string;
  readonly req: Request;
}

/** Decides whether a user may join a channel. Only `true` grants it. */
export type AccessRule<User, Values> = (request: AccessRequest<User, Values>) => boolean | Promise<boolean>;

interface Entry<User> {
  readonly pattern: ChannelPattern;
  readonly rule: AccessRule<User, Readonly<Record<string, string>>>;
  readonly terms: GrantTerms | undefined;
}

/**
 * A set of rules for channels, one for each pattern of names. It refuses all other names.
 * @example
 * ```ts
 * const rules = policy<{ id: string }>().channel('private-user-{userId}', ({ user, params }) => user.id === params.userId);
 * app.use('/countersign', authRouter(countersign, { user: () => ({ id: 'ann' }), canAccess: rules.canAccess }));
 * ```
 */
export class Policy<User extends AuthUser> {
  readonly #entries: Entry<User>[] = [];

  /**
   * Adds a rule for the channels of a pattern, such as `private-user-{userId}`. A placeholder matches one or more
   * characters of a channel name; if there are several, without the punctuation between them.
   *
   * @param terms what narrows the grants of these channels, such as a shorter life
   * @throws ArgumentError `invalid_options` for an ambiguous pattern, or one that overlaps another; `invalid_grant`
   * @example
   * ```ts
   * policy<{ id: string }>()
   *   .channel('presence-room-{room}', ({ user, params }) => params.room.startsWith(user.id))
   *   .channel('private-ticker-{market}', () => true, { ttl: 60, may: ['subscribe'] });
   * ```
   */
  channel<const Pattern extends string>(
    pattern: Pattern,
    rule: AccessRule<User, Params<Pattern>>,
    terms?: GrantTerms,
  ): this {
    assertOption(
      typeof rule === 'function',
      `${quoted(pattern)} needs a rule: a function that returns whether the user may join`,
    );
    if (terms) checkGrantTerms(terms);
    const parsed = new ChannelPattern(pattern);
    const rival = this.#entries.find((entry) => entry.pattern.overlaps(parsed))?.pattern.text;
    assertOption(
      rival === undefined,
      `${quoted(pattern)} and ${quoted(rival)} can match the same channel: begin one of them differently`,
    );
    // The pattern yields a value for each of its names.
    this.#entries.push({ pattern: parsed, rule: rule as Entry<User>['rule'], terms });
    return this;
  }

  /** A function for {@link AuthRouterOptions.canAccess}; it works without `this`. */
  readonly canAccess = async (user: User, channel: string, req: Request): Promise<Access> => {
    for (const { pattern, rule, terms } of this.#entries) {
      const params = pattern.match(channel);
      if (!params) continue;
      const isAllowed = (await rule({ user, params, channel, req })) === true;
      return isAllowed && terms ? { ...terms, allow: true } : isAllowed;
    }
    return false;
  };
}

/**
 * Creates an empty policy, which refuses every channel.
 * @example
 * ```ts
 * const { canAccess } = policy<{ id: string; roles: string[] }>().channel('private-audit', hasRole('admin'));
 * ```
 */
export function policy<User extends AuthUser = AuthUser>(): Policy<User> {
  return new Policy();
}

/**
 * Returns a rule that admits users with at least one of these `roles`.
 * @example
 * ```ts
 * policy<{ id: string; roles: string[] }>().channel('private-audit', hasRole('admin', 'auditor'));
 * ```
 */
export function hasRole(
  ...roles: readonly string[]
): AccessRule<{ readonly roles?: readonly string[] | undefined }, unknown> {
  return ({ user }) => roles.some((role) => isListed(role, user.roles));
}

/**
 * Returns a rule that admits users with this group in their `groups`: a constant such as `staff`, or with one placeholder of
 * the channel pattern, such as `team-{team}`.
 *
 * @throws ArgumentError `invalid_options`
 * @example
 * ```ts
 * policy<{ id: string; groups: string[] }>().channel('presence-room-{room}', inGroup('{room}'));
 * ```
 */
export function inGroup<const Group extends string>(
  group: Group,
): AccessRule<{ readonly groups?: readonly string[] | undefined }, Params<Group>> {
  const { literals, names } = splitPattern(group);
  const [before = '', after = ''] = literals;
  const [name] = names;
  // With several placeholders, different values could form the same group name.
  assertOption(names.length <= 1, `${quoted(group)} has more than one name in braces`);
  assertOption(!/[{}]/.test(before + after), `${quoted(group)} has a brace without its other half`);
  return ({ user, params }) => {
    if (name === undefined) return isListed(before, user.groups);
    const values: Readonly<Record<string, string>> = params;
    assertOption(Object.hasOwn(values, name), `No {${name}} is in the pattern of this channel`);
    return isListed(before + values[name] + after, user.groups);
  };
}

/** Whether a list contains a value; a string would match by its parts. */
function isListed(value: string, list: unknown): boolean {
  return Array.isArray(list) && list.includes(value);
}
