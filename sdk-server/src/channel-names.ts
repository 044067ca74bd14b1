import { Refusal } from './auth/answer.ts';
import type { Fields } from './auth/body.ts';

/** The channels that one request asks for, not checked yet. */
export interface ChannelNames {
  readonly names: readonly unknown[];
  /** Whether the response lists each channel by name: for any list, also a list of one. */
  readonly isBatch: boolean;
}

const NAME = 'channel_name';
const BATCH_SIZE = 200;

/**
 * Returns the channels of a request: `channel_name` for one; for a batch, `channel_name` repeated or as an array, or
 * `channel_name[]`, `channel_name[0]` …. Duplicates are removed.
 *
 * @throws Refusal 400 for no channels or more than 200
 */
export function channelNamesOf(fields: Fields): ChannelNames {
  const single = fields.get(NAME);
  const listed = [...fields].filter(([field]) => isListed(field));
  if (listed.length === 0 && !Array.isArray(single)) return { names: [single], isBatch: false };
  const names = new Set(listed.flatMap(([, value]) => value).concat(single ?? []));
  if (names.size >= 1 && names.size <= BATCH_SIZE) return { names: [...names], isBatch: true };
  throw new Refusal(400, 'invalid_channel', `A batch has 1 to ${BATCH_SIZE} channels, not ${names.size}`);
}

function isListed(field: string): boolean {
  return field.startsWith(NAME) && /^\[\d*\]$/.test(field.slice(NAME.length));
}
