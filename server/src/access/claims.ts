import { isSocketId } from '@countersign/sdk-server/signature';
import { NestedTooDeeply, removeMember } from '../protocol/json-text.ts';
import { asObject, type JsonObject } from '../protocol/messages.ts';
import { isWellFormed } from '../protocol/well-formed.ts';
import { isAction, unknownAction } from './token.ts';

/** The member of signed JSON that holds the claims. */
export const CLAIMS = 'countersign';

/** How a signature narrows the right that it gives. Times are Unix seconds. */
export interface Claims {
  readonly id: string | undefined;
  readonly issuedAt: number | undefined;
  readonly expiresAt: number | undefined;
  /** The user that the grant is for. */
  readonly userId: string | undefined;
  readonly mayPublish: boolean;
  /** Whether the grant is accepted only once. */
  readonly once: boolean;
  /** Client events a second. */
  readonly rate: number | undefined;
  /** The connection whose missed events are replayed. */
  readonly previousSocketId: string | undefined;
}

/** What is wrong with claims. */
export type ClaimFault = 'claim_unknown' | 'claim_invalid' | 'grant_expired' | 'grant_without_subscribe';

/** The broker refuses the claims of a signature. */
export class ClaimRefusal extends Error {
  override readonly name = 'ClaimRefusal';

  /** @param claim the one that is to blame; `undefined`: all of them */
  constructor(
    readonly code: ClaimFault,
    message: string,
    readonly claim?: string,
  ) {
    super(message);
  }
}

/** What a signature is for: some claims narrow channels only. */
export type ClaimScope = 'channel' | 'sign-in';

/** Seconds that the clock of a backend may be ahead. */
const MAX_AHEAD_SECONDS = 60;
const USER_LENGTH = 128;

type Rule = readonly [scope: ClaimScope | 'both', isValid: (value: unknown) => boolean, expected: string];

const RULES: Readonly<Record<string, Rule>> = {
  id: ['both', isGrantId, '1 to 64 of A-Z a-z 0-9 _ -'],
  iat: ['both', isUnixSeconds, 'Unix time in whole seconds'],
  exp: ['both', isUnixSeconds, 'Unix time in whole seconds'],
  user: ['channel', isClaimedUser, `a string of 1 to ${USER_LENGTH} characters`],
  may: ['channel', isActions, 'a list of "subscribe" and "publish"'],
  once: ['channel', (value) => value === true, 'true'],
  rate: ['channel', isRate, 'a whole number from 1'],
  previous_socket_id: ['channel', isSocketId, 'a socket id'],
};

/** Signed JSON: the claims, and what is left without them. */
export interface Signed {
  readonly claims: Claims | undefined;
  /** The text without the claims, otherwise as it was signed. */
  readonly text: string;
}

/**
 * Reads the claims in signed JSON.
 *
 * @param object what `text` says
 * @param now Unix milliseconds
 * @throws ClaimRefusal if a claim is unknown or has the wrong form, and for a grant that has expired or is of no use
 */
export function readClaims(object: JsonObject, text: string, scope: ClaimScope, now: number): Signed {
  if (!Object.hasOwn(object, CLAIMS)) return { claims: undefined, text };
  const rest = withoutClaims(text);
  const claims = asObject(object[CLAIMS]);
  if (!claims) throw invalid(`${CLAIMS} must be an object`);
  for (const [name, value] of Object.entries(claims)) checkClaim(name, value, scope);

  const { id, iat, exp, user, may, once, rate, previous_socket_id: previous } = claims as SignedClaims;
  if (iat !== undefined && iat > now / 1000 + MAX_AHEAD_SECONDS) {
    const why = `is more than ${MAX_AHEAD_SECONDS} seconds ahead of the clock of the broker`;
    throw invalid(`The claim iat ${why}`, 'iat');
  }
  if (once && (id === undefined || exp === undefined))
    throw invalid('The claim once needs id and exp', 'once');
  if (may && !may.includes('subscribe')) {
    throw new ClaimRefusal('grant_without_subscribe', 'The claim may does not allow to subscribe', 'may');
  }
  if (exp !== undefined && exp * 1000 <= now)
    throw new ClaimRefusal('grant_expired', 'The grant has expired', 'exp');
  return {
    text: rest,
    claims: {
      id,
      issuedAt: iat,
      expiresAt: exp,
      userId: user,
      mayPublish: may?.includes('publish') ?? true,
      once: once ?? false,
      rate,
      previousSocketId: previous,
    },
  };
}

function withoutClaims(json: string): string {
  try {
    const { text, removed } = removeMember(json, CLAIMS);
    // Another parser may read the first one, so neither is taken.
    if (removed > 1) throw invalid(`${CLAIMS} must not be repeated`);
    return text;
  } catch (error) {
    throw error instanceof NestedTooDeeply ? invalid('The signed data is nested too deeply') : error;
  }
}

/** The claims as they are signed, after the check. */
interface SignedClaims {
  readonly id?: string;
  readonly iat?: number;
  readonly exp?: number;
  readonly user?: string;
  readonly may?: readonly string[];
  readonly once?: true;
  readonly rate?: number;
  readonly previous_socket_id?: string;
}

function checkClaim(name: string, value: unknown, scope: ClaimScope): void {
  const rule = Object.hasOwn(RULES, name) ? RULES[name] : undefined;
  if (!rule || (rule[0] !== 'both' && rule[0] !== scope)) {
    const known = Object.keys(RULES).filter((each) => ['both', scope].includes(RULES[each]?.[0] ?? ''));
    const shown = JSON.stringify(name.slice(0, 64));
    const why = `Unknown claim ${shown}: known are ${known.join(', ')}`;
    throw new ClaimRefusal('claim_unknown', why, name.slice(0, 64));
  }
  const [, isValid, expected] = rule;
  const unknown = name === 'may' ? unknownAction(value) : undefined;
  if (unknown !== undefined)
    throw invalid(`Unknown action ${unknown} in the claim may: it is ${expected}`, name);
  if (!isValid(value)) throw invalid(`The claim ${name} must be ${expected}`, name);
}

function invalid(message: string, claim?: string): ClaimRefusal {
  return new ClaimRefusal('claim_invalid', message, claim);
}

/** Whether a value can name a grant. */
export function isGrantId(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value);
}

function isUnixSeconds(value: unknown): boolean {
  return Number.isSafeInteger(value);
}

function isClaimedUser(value: unknown): boolean {
  return typeof value === 'string' && value.length >= 1 && value.length <= USER_LENGTH && isWellFormed(value);
}

function isActions(value: unknown): boolean {
  return Array.isArray(value) && value.every(isAction);
}

function isRate(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 1;
}
