-- Remembers when the keys of an app were used last: of each use the later time. Forgets uses of long ago.
--
-- KEYS[1]  the uses
-- ARGV[1]  seconds for which a use is remembered
-- ARGV[2…] the use with its key, and Unix seconds, in turns
--- @include "../lib/clock"
for i = 2, #ARGV, 2 do
  local before = redis.call('HGET', KEYS[1], ARGV[i])
  if not before or tonumber(before) < tonumber(ARGV[i + 1]) then redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
local oldest = now / 1000000 - ARGV[1]
local uses = redis.call('HGETALL', KEYS[1])
for i = 1, #uses, 2 do
  if tonumber(uses[i + 1]) < oldest then redis.call('HDEL', KEYS[1], uses[i]) end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
