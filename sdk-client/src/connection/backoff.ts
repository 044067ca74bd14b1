/**
 * Delays between attempts, in ms, each above 0.
 *
 * @example
 * ```ts
 * new Countersign('key-1', { host: 'channels.example.com', reconnect: { minDelay: 500, maxDelay: 10_000 } });
 * ```
 */
export interface ReconnectOptions {
  /** Longest first delay; it doubles with each further attempt. @default 1_000 */
  readonly minDelay?: number | undefined;
  /** Upper bound of all delays. @default 30_000 */
  readonly maxDelay?: number | undefined;
  /** How long a connection must last before delays start from `minDelay` again. @default 10_000 */
  readonly stableAfter?: number | undefined;
}

/** {@link ReconnectOptions} with their defaults. */
export type Delays = { readonly [Name in keyof ReconnectOptions]-?: number };

/** What the client does when its connection ends. */
export type Reaction = 'retry' | 'retry at once' | 'retry later' | 'retry over TLS' | 'stop';

/** Shortest pause before the client returns to an overloaded broker, in ms. */
export const OVERLOAD_PAUSE = 1_000;

/** Returns what the protocol requires for a close code. */
export function reactionTo(code: number): Reaction {
  if (code < 4000) return 'retry';
  if (code === 4000) return 'retry over TLS';
  if (code < 4100) return 'stop';
  if (code < 4200) return 'retry later';
  if (code < 4300) return 'retry at once';
  return 'stop';
}

/**
 * Returns the delay before the next attempt, in ms. Half of it is random, so that clients do not return all at once.
 *
 * @param tries consecutive failures before this one; from the second on, "at once" waits too
 */
export function retryDelay(
  reaction: Reaction,
  tries: number,
  { minDelay, maxDelay }: Pick<Delays, 'minDelay' | 'maxDelay'>,
  random: number,
): number {
  if (tries === 0 && (reaction === 'retry at once' || reaction === 'retry over TLS')) return 0;
  const longest = Math.min(maxDelay, minDelay * 2 ** tries);
  const delay = (longest * (1 + random)) / 2;
  return reaction === 'retry later' ? OVERLOAD_PAUSE + delay : delay;
}
