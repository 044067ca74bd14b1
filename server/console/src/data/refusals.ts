import type { Diagnosis, EventLine } from './wire.ts';

/** Refusals that differ in their numbers only, such as those of `private-orders-1` and `private-orders-2`. */
export interface RefusalGroup {
  readonly key: string;
  readonly count: number;
  /** Unix milliseconds of the first and the latest of them. */
  readonly first: number;
  readonly last: number;
  /** The channel, with `*` for what differs. */
  readonly channel: string | undefined;
  readonly newest: EventLine;
  /** The latest explanation: not every refusal gets one. */
  readonly diagnosis: Diagnosis | undefined;
}

/** Groups that are kept: the one without news for longest goes first. */
const MAX_GROUPS = 50;
const MAX_PATTERN = 80;

/** Refusals in groups, those with the latest news first. */
export class RefusalGroups {
  readonly #groups = new Map<string, RefusalGroup>();

  get list(): readonly RefusalGroup[] {
    return [...this.#groups.values()].reverse();
  }

  add(entry: EventLine): void {
    const key = refusalKey(entry);
    const before = this.#groups.get(key);
    this.#groups.delete(key);
    this.#groups.set(key, {
      key,
      count: (before?.count ?? 0) + 1,
      first: before?.first ?? entry.at,
      last: entry.at,
      channel: entry.channel === undefined ? undefined : pattern(entry.channel),
      newest: entry,
      diagnosis: entry.diagnosis ?? before?.diagnosis,
    });
    const [oldest] = this.#groups.keys();
    if (this.#groups.size > MAX_GROUPS && oldest !== undefined) this.#groups.delete(oldest);
  }
}

/** Equal for refusals of one group. */
export function refusalKey({
  kind,
  errorCode,
  reason = '',
  channel = '',
  method,
  path = '',
}: EventLine): string {
  return JSON.stringify([kind, errorCode, pattern(reason), pattern(channel), method, pattern(path)]);
}

function pattern(text: string): string {
  const shown = text.replace(/[0-9a-f]{8}[0-9a-f-]*|\d[\d.]*/gi, '*');
  return shown.length > MAX_PATTERN ? `${shown.slice(0, MAX_PATTERN)}…` : shown;
}
