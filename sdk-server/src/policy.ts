import type { Request } from 'express';
import { assertOption } from './assert.ts';
import type { AuthUser } from './auth-options.ts';
import { ChannelPattern, type Params, splitPattern } from './channel-pattern.ts';
import { quoted } from './checks.ts';

/** Who asks for which channel. */
export interface AccessRequest<User, Values> {
  readonly user: User;
  /** What the braces of the pattern stand for. */
  readonly params: Values;
  readonly channel: string;
  readonly req: Request;
}

/** Whether somebody may join a channel. Only `true` grants it. */
export type AccessRule<User, Values> = (request: AccessRequest<User, Values>) => boolean | Promise<boolean>;

interface Entry<User> {
  readonly pattern: ChannelPattern;
  readonly rule: AccessRule<User, Readonly<Record<string, string>>>;
}

/** Who may join which channels: one rule for each pattern of names, and no to all other names. */
export class Policy<User extends AuthUser> {
  readonly #entries: Entry<User>[] = [];

  /**
   * Says who may join the channels of a pattern, such as `private-user-{userId}`. Braces stand for one or more
   * characters of a channel name; where there are several, without the punctuation between them.
   *
   * @throws ArgumentError `invalid_options` for a pattern that could be read in two ways, or that means channels which
   *   another one means
   */
  channel<const Pattern extends string>(pattern: Pattern, rule: AccessRule<User, Params<Pattern>>): this {
    assertOption(typeof rule === 'function', `${quoted(pattern)} needs a rule that tells who may`);
    const parsed = new ChannelPattern(pattern);
    const rival = this.#entries.find((entry) => entry.pattern.overlaps(parsed))?.pattern.text;
    assertOption(
      rival === undefined,
      `${quoted(pattern)} and ${quoted(rival)} can mean the same channel: begin one of them differently`,
    );
    // The pattern yields a value for each of its names.
    this.#entries.push({ pattern: parsed, rule: rule as Entry<User>['rule'] });
    return this;
  }

  /** For {@link AuthRouterOptions.canAccess}; it needs no `this`. */
  readonly canAccess = async (user: User, channel: string, req: Request): Promise<boolean> => {
    for (const { pattern, rule } of this.#entries) {
      const params = pattern.match(channel);
      if (params) return (await rule({ user, params, channel, req })) === true;
    }
    return false;
  };
}

/** An empty policy, which lets nobody in anywhere. */
export function policy<User extends AuthUser = AuthUser>(): Policy<User> {
  return new Policy();
}

/** The rule for who has at least one of these in his `roles`. */
export function hasRole(
  ...roles: readonly string[]
): AccessRule<{ readonly roles?: readonly string[] | undefined }, unknown> {
  return ({ user }) => roles.some((role) => isListed(role, user.roles));
}

/**
 * The rule for who has this among his `groups`: `staff`, or with one value of the channel's name `team-{team}`.
 *
 * @throws ArgumentError `invalid_options`
 */
export function inGroup<const Group extends string>(
  group: Group,
): AccessRule<{ readonly groups?: readonly string[] | undefined }, Params<Group>> {
  const { literals, names } = splitPattern(group);
  const [before = '', after = ''] = literals;
  const [name] = names;
  // Two values could make the name of one group in two ways.
  assertOption(names.length <= 1, `${quoted(group)} has more than one name in braces`);
  assertOption(!/[{}]/.test(before + after), `${quoted(group)} has a brace without its other half`);
  return ({ user, params }) => {
    if (name === undefined) return isListed(before, user.groups);
    const values: Readonly<Record<string, string>> = params;
    assertOption(Object.hasOwn(values, name), `No {${name}} is in the pattern of this channel`);
    return isListed(before + values[name] + after, user.groups);
  };
}

/** Whether it stands in a list. In a text it would be found as a part of another. */
function isListed(value: string, list: unknown): boolean {
  return Array.isArray(list) && list.includes(value);
}
