-- Acquires or renews the leadership, and wakes the nodes. A Redis without free memory renews it, too: PEXPIRE takes none.
--
-- KEYS[1]  what webhooks keep in Redis
-- ARGV[1]  id of the term, which is never used again
-- ARGV[2]  milliseconds for which it holds
-- Answers  { id of the term that holds now, 1 if the previous leader handed over, entries of the journal }
local LEADER, JOURNAL, HANDED_OVER = KEYS[1] .. ':clerk', KEYS[1] .. ':journal', KEYS[1] .. ':handed-over'
local term, milliseconds = unpack(ARGV)
redis.call('SPUBLISH', KEYS[1], '')
local entries = redis.call('XLEN', JOURNAL)
local holder = redis.call('GET', LEADER)
if holder and holder ~= term then return { holder, 0, entries } end
if holder then
  redis.call('PEXPIRE', LEADER, milliseconds)
  return { term, 0, entries }
end
redis.call('SET', LEADER, term, 'PX', milliseconds)
local handed_over = redis.call('DEL', HANDED_OVER)
return { term, handed_over, entries }
