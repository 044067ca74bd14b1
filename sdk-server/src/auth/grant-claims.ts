import { randomUUID } from 'node:crypto';
import { quoted } from '../checks.ts';
import { ArgumentError } from '../errors.ts';
import { isSocketId } from '../signature.ts';

/** What a subscription may do: `subscribe` receives events, `publish` sends client events. */
export type GrantedAction = 'subscribe' | 'publish';

/**
 * What narrows the right to join a channel. Without any of these the signature says nothing about time, and lasts as long
 * as the connection.
 *
 * @example
 * ```ts
 * countersign.authorizeChannel('1234.5678', 'private-feed', undefined, { ttl: 900, may: ['subscribe'], user: 'ann' });
 * ```
 */
export interface GrantOptions {
  /** Seconds until the grant ends, from now. The client gets another one in time, or the subscription ends. */
  readonly ttl?: number | undefined;
  /** What the subscription may do. @default ['subscribe', 'publish'] */
  readonly may?: readonly GrantedAction[] | undefined;
  /** Whether the broker accepts the grant only once. It needs `ttl`. @default false */
  readonly once?: boolean | undefined;
  /** Client events a second that the subscription may send; the limit of the app still applies. */
  readonly rate?: number | undefined;
  /**
   * Whom the grant is for, 1 to 128 characters. It makes the user of a private channel known to the broker, for renewal,
   * revocation and webhooks. The broker refuses it for another member or signed-in user.
   */
  readonly user?: string | undefined;
  /**
   * The socket id that the client had before, as it says: the broker replays what that connection may not have got, if the
   * channel has a history and the connection was there as the same user. For clients that know no positions.
   */
  readonly previousSocketId?: string | undefined;
  /** Names the grant: 1 to 64 of `A-Z a-z 0-9 _ -`. @default a random UUID */
  readonly id?: string | undefined;
}

/**
 * What narrows the sign-in of a connection.
 *
 * @example
 * ```ts
 * countersign.authenticateUser('1234.5678', { id: 'ann' }, { ttl: 900 });
 * ```
 */
export type SignInOptions = Pick<GrantOptions, 'ttl' | 'id'>;

/** The value of {@link CLAIMS} in signed data. */
export interface Claims {
  readonly id: string;
  readonly iat: number;
  readonly exp?: number;
  readonly user?: string;
  readonly may?: readonly GrantedAction[];
  readonly once?: true;
  readonly rate?: number;
  readonly previous_socket_id?: string;
}

/** The field of signed data that holds the claims. */
export const CLAIMS = 'countersign';

const ID = /^[A-Za-z0-9_-]{1,64}$/;
const USER_LENGTH = 128;
const ACTIONS: ReadonlySet<unknown> = new Set<GrantedAction>(['subscribe', 'publish']);
/** About 68 years; the sum with any date is a whole number that every JSON parser keeps. */
const LONGEST = 2 ** 31 - 1;

type Check = (value: never) => boolean;
const CHECKS: Readonly<Record<keyof GrantOptions, readonly [check: Check, rule: string]>> = {
  ttl: [isCount, `whole seconds from 1 to ${LONGEST}`],
  may: [isMay, 'a list of "subscribe" and perhaps "publish"'],
  once: [(value: unknown) => typeof value === 'boolean', 'true or false'],
  rate: [isCount, 'a whole number from 1'],
  user: [isClaimableUser, `a string of 1 to ${USER_LENGTH} characters`],
  previousSocketId: [isSocketId, 'a socket id'],
  id: [(value: unknown) => typeof value === 'string' && ID.test(value), '1 to 64 of A-Z a-z 0-9 _ -'],
};

/**
 * Checks what narrows a grant.
 *
 * @returns the options that are set
 * @throws ArgumentError `invalid_grant` for an unknown option too: a misspelled one would narrow nothing
 */
export function checkGrantOptions<Options extends GrantOptions>(options: Options): Options {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) {
    if (!Object.hasOwn(CHECKS, name)) {
      throw invalid(`Unknown option ${quoted(name)} of a grant; known are ${Object.keys(CHECKS).join(', ')}`);
    }
    const [check, rule] = CHECKS[name as keyof GrantOptions];
    if (!check(value as never)) throw invalid(`${name} of a grant must be ${rule}`);
  }
  if (options.once && options.ttl === undefined) throw invalid('A grant that is valid once needs a ttl');
  return Object.fromEntries(given) as Options;
}

/**
 * Returns the claims of a grant; `undefined` if nothing narrows it.
 *
 * @param now ms since 1970
 * @throws ArgumentError `invalid_grant`
 */
export function claimsOf(options: GrantOptions, now: number): Claims | undefined {
  const given = checkGrantOptions(options);
  if (Object.keys(given).length === 0) return undefined;
  const { id = randomUUID(), ttl, user, may, once, rate, previousSocketId } = given;
  const iat = Math.floor(now / 1000);
  return {
    id,
    iat,
    ...(ttl !== undefined && { exp: iat + ttl }),
    ...(user !== undefined && { user }),
    ...(may !== undefined && { may }),
    ...(once && { once }),
    ...(rate !== undefined && { rate }),
    ...(previousSocketId !== undefined && { previous_socket_id: previousSocketId }),
  };
}

/**
 * Returns the claims of a sign-in.
 *
 * @throws ArgumentError `invalid_grant` also for what narrows grants of channels only
 */
export function signInClaimsOf(options: SignInOptions, now: number): Claims | undefined {
  const { ttl: _ttl, id: _id, ...others } = options;
  const [other] = Object.keys(others);
  if (other === undefined) return claimsOf(options, now);
  throw invalid(`${quoted(other)} is no option of a sign-in; known are ttl, id`);
}

/** Whether a grant can name this user. */
export function isClaimableUser(value: unknown): value is string {
  return typeof value === 'string' && value.length >= 1 && value.length <= USER_LENGTH;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 1 && Number(value) <= LONGEST;
}

function isMay(value: unknown): boolean {
  return Array.isArray(value) && value.includes('subscribe') && value.every((action) => ACTIONS.has(action));
}

function invalid(message: string): ArgumentError {
  return new ArgumentError('invalid_grant', message);
}
