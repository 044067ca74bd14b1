#!lua flags=allow-oom
-- Acquires or renews the leadership, and wakes the nodes. Without free memory a node becomes the leader as well: only a
-- leader delivers what takes the memory. Keys of a wrong type are set aside.
--
-- KEYS[1]  what webhooks keep in Redis
-- ARGV[1]  id of the term, which is never used again
-- ARGV[2]  milliseconds for which it holds
-- Answers  { id of the term that holds now, 1 if the previous leader handed over, entries of the journal,
--            the ends of the names of the keys that were set aside }
--- @include "lib/set-aside"
local TYPES = {
  clerk = 'string', ['handed-over'] = 'string', ['journal-bytes'] = 'string', journal = 'stream', deliveries = 'hash',
  numbers = 'hash', states = 'hash', told = 'hash', log = 'hash', sequences = 'hash',
}
local names = {}
for name, expected in pairs(TYPES) do
  local found = redis.call('TYPE', KEYS[1] .. ':' .. name).ok
  if found ~= expected and found ~= 'none' then
    set_aside(KEYS[1] .. ':' .. name)
    names[#names + 1] = name
  end
end
local LEADER, JOURNAL, HANDED_OVER = KEYS[1] .. ':clerk', KEYS[1] .. ':journal', KEYS[1] .. ':handed-over'
local term, milliseconds = unpack(ARGV)
redis.call('SPUBLISH', KEYS[1], '')
local entries = redis.call('XLEN', JOURNAL)
local holder = redis.call('GET', LEADER)
-- A value that does not expire is not that of a leader, and would keep every node from leading.
if holder and redis.call('PTTL', LEADER) == -1 then holder = false end
if holder and holder ~= term then return { holder, 0, entries, names } end
if holder then
  redis.call('PEXPIRE', LEADER, milliseconds)
  return { term, 0, entries, names }
end
redis.call('SET', LEADER, term, 'PX', milliseconds)
local handed_over = redis.call('DEL', HANDED_OVER)
return { term, handed_over, entries, names }
