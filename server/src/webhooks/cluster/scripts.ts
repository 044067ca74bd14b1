import { loadScript, type Script } from '../../redis/script.ts';

/** The message on the channel of webhooks that says that there is no leader: `release-leadership.lua` sends it. */
export const VACANT = 'vacant';

/** Suffix of the key that holds the number of bytes in the journal. */
export const JOURNAL_BYTES = 'journal-bytes';

/**
 * The scripts of webhooks. `KEYS[1]` is the common beginning of all keys of webhooks; its hash tag keeps them in one slot.
 * It is also the channel on which nodes learn that there is something to do.
 */
export const scripts = {
  acquireLeadership: load('acquire-leadership'),
  releaseLeadership: load('release-leadership'),
  commit: load('commit'),
  scan: load('scan'),
  record: load('record'),
  read: load('read'),
  events: load('events'),
  send: load('send'),
} as const;

function load(name: string): Script {
  return loadScript(new URL(`lua/${name}.lua`, import.meta.url));
}
