import { isRecord } from '../json.ts';
import { checkGrantOptions, type GrantOptions } from './grant-claims.ts';

/**
 * What narrows the grants of a channel or pattern. `ttl` overrides `grantSeconds` of the router; null is no end.
 *
 * @example
 * ```ts
 * policy<{ id: string }>().channel('private-ticker-{market}', () => true, { ttl: 60, may: ['subscribe'] });
 * ```
 */
export interface GrantTerms extends Pick<GrantOptions, 'may' | 'once' | 'rate'> {
  /** Seconds until the grant ends. @default the `grantSeconds` of the router */
  readonly ttl?: number | null | undefined;
}

/** Grants a channel, narrowed by the other fields. */
export interface AllowedAccess extends GrantTerms {
  readonly allow: true;
}

/** Whether a user may join a channel: `true`, or `{ allow: true }` with what narrows the grant. */
export type Access = boolean | AllowedAccess;

/** Returns what narrows an access that `canAccess` has allowed; `undefined` for anything else, which refuses. */
export function termsOf(access: unknown): GrantTerms | undefined {
  if (access === true) return {};
  if (!isRecord(access) || access['allow'] !== true) return undefined;
  const { allow: _, ...terms } = access;
  return terms;
}

/** @throws ArgumentError `invalid_grant` */
export function checkGrantTerms({ ttl, ...terms }: GrantTerms): void {
  // Without a `ttl`, that of the router counts.
  checkGrantOptions({ ...terms, ttl: ttl === undefined ? 1 : (ttl ?? undefined) });
}
