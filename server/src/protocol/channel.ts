import { isChannelName, userOfChannel } from '@countersign/sdk-server/signature';

/** What a channel asks of those who join it. */
export type ChannelKind = 'public' | 'private' | 'encrypted' | 'presence' | 'user';

/** What the name of a channel means (docs/protocol.md, "Channels"). */
export interface Channel {
  readonly name: string;
  readonly kind: ChannelKind;
  /** Whether its last published event is kept for those who join later. */
  readonly cache: boolean;
  /** The user whom a channel of kind `user` belongs to. */
  readonly userId?: string;
}

// Longest prefix first: the first that fits decides.
const PREFIXES: readonly (readonly [prefix: string, kind: ChannelKind, cache: boolean])[] = [
  ['private-encrypted-cache-', 'encrypted', true],
  ['private-encrypted-', 'encrypted', false],
  ['private-cache-', 'private', true],
  ['private-', 'private', false],
  ['presence-cache-', 'presence', true],
  ['presence-', 'presence', false],
  ['cache-', 'public', true],
];

/** Reads the name of a channel; `undefined` if no channel may be called that. */
export function readChannel(name: string, maxLength?: number): Channel | undefined {
  if (name.startsWith('#')) {
    const userId = userOfChannel(name);
    return userId === undefined ? undefined : { name, kind: 'user', cache: false, userId };
  }
  if (!isChannelName(name, maxLength)) return undefined;
  for (const [prefix, kind, cache] of PREFIXES) {
    if (name.startsWith(prefix)) return { name, kind, cache };
  }
  return { name, kind: 'public', cache: false };
}
