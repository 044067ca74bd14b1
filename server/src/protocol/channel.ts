import { isChannelName, userOfChannel } from '@countersign/sdk-server/signature';

/** What a channel requires of a subscriber. */
export type ChannelKind = 'public' | 'private' | 'encrypted' | 'presence' | 'user';

/** A channel, as its name describes it (docs/protocol.md, "Channels"). */
export interface Channel {
  readonly name: string;
  readonly kind: ChannelKind;
  /** Whether its last published event is kept for later subscribers. */
  readonly cache: boolean;
  /** The user that a channel of kind `user` belongs to. */
  readonly userId?: string;
}

// Longest prefix first: the first match decides.
const PREFIXES: readonly (readonly [prefix: string, kind: ChannelKind, cache: boolean])[] = [
  ['private-encrypted-cache-', 'encrypted', true],
  ['private-encrypted-', 'encrypted', false],
  ['private-cache-', 'private', true],
  ['private-', 'private', false],
  ['presence-cache-', 'presence', true],
  ['presence-', 'presence', false],
  ['cache-', 'public', true],
];

/** Parses the name of a channel; `undefined` if it is not valid. */
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
