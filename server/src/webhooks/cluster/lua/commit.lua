#!lua flags=allow-oom
-- Makes the changes of a leader, if its term still holds the leadership. A change that Redis refuses, because another
-- program has written to its key, sets that key aside and is made again. Without free memory the changes are made as well:
-- they deliver what the journal holds, and so free memory.
--
-- KEYS[1]  what webhooks keep in Redis
-- ARGV[1]  id of the term
-- ARGV[2]  changes as JSON, each a list of a command, the end of the name of its key, and further arguments
-- Answers  the ends of the names of the keys that were set aside, or 'notLeader'
--- @include "lib/set-aside"
if redis.call('GET', KEYS[1] .. ':clerk') ~= ARGV[1] then return 'notLeader' end
local names = {}
for _, change in ipairs(cjson.decode(ARGV[2])) do
  local key = KEYS[1] .. ':' .. change[2]
  local answer = redis.pcall(change[1], key, unpack(change, 3))
  if type(answer) == 'table' and answer.err then
    set_aside(key)
    names[#names + 1] = change[2]
    redis.call(change[1], key, unpack(change, 3))
  end
end
return names
