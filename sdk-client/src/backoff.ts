/** Delays between tries, in ms. */
export interface ReconnectOptions {
  /** Longest first delay; it doubles with each further try. @default 1_000 */
  readonly minDelay?: number | undefined;
  /** No delay is longer. @default 30_000 */
  readonly maxDelay?: number | undefined;
  /** How long a connection must live before its loss counts as the first again. @default 10_000 */
  readonly stableAfter?: number | undefined;
}

/** The same, complete. */
export type Delays = { readonly [Name in keyof ReconnectOptions]-?: number };

/** What a client does about the end of its connection. */
export type Reaction = 'retry' | 'retry at once' | 'retry later' | 'retry over TLS' | 'stop';

/** An overloaded broker is left alone for at least this long, in ms. */
export const OVERLOAD_PAUSE = 1_000;

/** What the close code asks of the client. */
export function reactionTo(code: number): Reaction {
  if (code < 4000) return 'retry';
  if (code === 4000) return 'retry over TLS';
  if (code < 4100) return 'stop';
  if (code < 4200) return 'retry later';
  if (code < 4300) return 'retry at once';
  return 'stop';
}

/**
 * Milliseconds to wait before the next try. Half of it is chance, so that clients lost together do not return together.
 *
 * @param tries failures in a row before this one; from the second on, "at once" waits too
 */
export function retryDelay(
  reaction: Reaction,
  tries: number,
  { minDelay, maxDelay }: Delays,
  random: number,
): number {
  if (tries === 0 && (reaction === 'retry at once' || reaction === 'retry over TLS')) return 0;
  const longest = Math.min(maxDelay, minDelay * 2 ** tries);
  const delay = (longest * (1 + random)) / 2;
  return reaction === 'retry later' ? OVERLOAD_PAUSE + delay : delay;
}
