import { createHash } from 'node:crypto';
import type { Script } from '../../adapter/redis/scripts.ts';

/** Entries that the journal may hold. Nobody reads them while no node works, and then nobody writes them either. */
const MAX_JOURNAL = 1_000_000;
/** Bytes of them. */
const MAX_JOURNAL_BYTES = 256 * 1024 * 1024;

/** The message on the channel of webhooks that says that there is no leader. */
export const VACANT = 'vacant';

/** The end of the name of the key that holds how many bytes the entries of the journal have. */
export const JOURNAL_BYTES = 'journal-bytes';

/**
 * What Redis does in one step. `KEYS[1]` names everything that webhooks keep there; it is in braces, so all of it is in
 * one slot. It is also the channel on which nodes hear that there is something to do.
 */
export const scripts = {
  /**
   * Acquires or renews the leadership. ARGV: the unique id of the term; its duration in milliseconds. Answers the id of the
   * present term, 1 if the leader before has handed over, and the number of entries in the journal. A Redis without free
   * memory renews the leadership, too: PEXPIRE takes none.
   */
  acquireLeadership: script(`
    local leader = KEYS[1] .. ':clerk'
    redis.call('SPUBLISH', KEYS[1], '')
    local entries = redis.call('XLEN', KEYS[1] .. ':journal')
    local holder = redis.call('GET', leader)
    if holder and holder ~= ARGV[1] then return { holder, 0, entries } end
    if holder then
      redis.call('PEXPIRE', leader, ARGV[2])
      return { ARGV[1], 0, entries }
    end
    redis.call('SET', leader, ARGV[1], 'PX', ARGV[2])
    return { ARGV[1], redis.call('DEL', KEYS[1] .. ':handed-over'), entries }`),

  /**
   * Releases the leadership. ARGV: id of the term, 1 if the node hands over because it ends; the other nodes hear
   * of that at once.
   */
  releaseLeadership: script(`
    local leader = KEYS[1] .. ':clerk'
    if redis.call('GET', leader) ~= ARGV[1] then return end
    redis.call('DEL', leader)
    if ARGV[2] ~= '1' then return end
    redis.call('SPUBLISH', KEYS[1], '${VACANT}')
    redis.call('SET', KEYS[1] .. ':handed-over', '1')`),

  /**
   * Makes the changes of a clerk, if he still is the clerk. ARGV: id of the term; the changes as JSON, each a list of
   * a command, the end of the name of its key, and what else the command takes. Answers 'deposed' if he is not.
   */
  commit: script(`
    if redis.call('GET', KEYS[1] .. ':clerk') ~= ARGV[1] then return 'deposed' end
    for _, change in ipairs(cjson.decode(ARGV[2])) do
      redis.call(change[1], KEYS[1] .. ':' .. change[2], unpack(change, 3))
    end
    return 'committed'`),

  /** A page of a hash. ARGV: the end of its name, where to go on. Answers where to go on, and fields with values. */
  scan: script(`return redis.call('HSCAN', KEYS[1] .. ':' .. ARGV[1], ARGV[2], 'COUNT', 1000)`),

  /**
   * Writes entries to the journal. ARGV: who writes; the number of this batch of his, so that it is written once
   * however often he tries; the entries. Answers 'full' if it was not written.
   */
  record: script(`
    local journal, writer = KEYS[1] .. ':journal', KEYS[1] .. ':writer:' .. ARGV[1]
    local size = KEYS[1] .. ':${JOURNAL_BYTES}'
    if tonumber(redis.call('GET', writer) or 0) >= tonumber(ARGV[2]) then return 'known' end
    local entries = redis.call('XLEN', journal)
    local bytes = entries > 0 and tonumber(redis.call('GET', size) or 0) or 0
    if entries >= ${MAX_JOURNAL} or bytes >= ${MAX_JOURNAL_BYTES} then return 'full' end
    for at = 3, #ARGV do
      redis.call('XADD', journal, '*', 'entry', ARGV[at])
      bytes = bytes + #ARGV[at]
    end
    redis.call('SET', size, string.format('%d', bytes))
    redis.call('SET', writer, ARGV[2], 'EX', 3600)
    redis.call('SPUBLISH', KEYS[1], '')
    return 'written'`),

  /** A page of the journal. ARGV: the id after which it begins, how many entries. */
  read: script(`return redis.call('XRANGE', KEYS[1] .. ':journal', '(' .. ARGV[1], '+', 'COUNT', ARGV[2])`),

  /** A page of the committed events of an app. ARGV: app, first \`seq\`, how many. */
  events: script(`
    return redis.call('XRANGE', KEYS[1] .. ':events:' .. ARGV[1], ARGV[2] .. '-0', '+', 'COUNT', ARGV[3])`),

  /** Says something to whoever listens. ARGV: the end of the channel's name, what to say. */
  say: script(`redis.call('SPUBLISH', KEYS[1] .. ARGV[1], ARGV[2])`),
} as const;

function script(text: string): Script {
  return { text, sha1: createHash('sha1').update(text).digest('hex') };
}
