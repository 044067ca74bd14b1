import { isRefusal } from './live.ts';
import type { EventLine } from './wire.ts';

/** What an event is, for its dot and for `is:` in the filter. */
export type Sort = 'published' | 'client' | 'joined' | 'connected' | 'refused';

/** A filter of the event stream, as its text says: `is:published channel:news user:ann`, and words. */
export interface EventFilter {
  readonly sorts: readonly string[];
  readonly fields: readonly (readonly [field: Field, value: string])[];
  readonly words: readonly string[];
}

const FIELDS = ['channel', 'event', 'user', 'socket'] as const;
type Field = (typeof FIELDS)[number];

export function sortOf(entry: EventLine): Sort {
  if (isRefusal(entry)) return 'refused';
  switch (entry.kind) {
    case 'published':
      return entry.sender === undefined ? 'published' : 'client';
    case 'subscribed':
    case 'unsubscribed':
    case 'signedIn':
      return 'joined';
    default:
      return 'connected';
  }
}

export function readFilter(text: string): EventFilter {
  const filter = { sorts: [] as string[], fields: [] as [Field, string][], words: [] as string[] };
  for (const part of text.toLowerCase().split(/\s+/).filter(Boolean)) {
    const [, name = '', value = ''] = /^(\w+):(.+)$/.exec(part) ?? [];
    const field = FIELDS.find((each) => each === name);
    if (name === 'is') filter.sorts.push(value);
    else if (field) filter.fields.push([field, value]);
    else filter.words.push(part);
  }
  return filter;
}

/** @param textOf the text of a line, in lower case */
export function matches(
  entry: EventLine,
  filter: EventFilter,
  textOf: (entry: EventLine) => string,
): boolean {
  const { sorts, fields, words } = filter;
  if (sorts.length > 0 && !sorts.includes(sortOf(entry))) return false;
  if (!fields.every(([field, value]) => fieldOf(entry, field)?.toLowerCase().includes(value))) return false;
  return words.length === 0 || words.every((word) => textOf(entry).includes(word));
}

/** Adds `is:SORT` to a filter, or takes it away; `undefined` takes all of them away. */
export function withSort(text: string, sort: Sort | undefined): string {
  const parts = text.split(/\s+/).filter((part) => part !== '' && !part.startsWith('is:'));
  const had = text.split(/\s+/).includes(`is:${sort}`);
  return (sort === undefined || had ? parts : [`is:${sort}`, ...parts]).join(' ');
}

function fieldOf({ channel, name, userId, socketId, sender }: EventLine, field: Field): string | undefined {
  switch (field) {
    case 'channel':
      return channel;
    case 'event':
      return name;
    case 'user':
      return userId;
    case 'socket':
      return socketId ?? sender;
  }
}
