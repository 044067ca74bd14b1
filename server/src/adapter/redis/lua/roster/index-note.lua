-- Notes in the index of an app whether a name is occupied. Each node notes what it changed, so notes may arrive out of
-- order: the one with the higher version holds.
--
-- KEYS[1]  the index
-- ARGV[1]  name
-- ARGV[2]  version of the change
-- ARGV[3]  1 if the name is occupied, 0 if it is vacated
--- @include "../lib/clock"
local NAMES, OCCUPIED, VACATED = KEYS[1] .. ':names', KEYS[1] .. ':occupied', KEYS[1] .. ':vacated'
local VACATED_SECONDS, MAX_VACATED = 60, 10000
local name, version, is_occupied = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'

local known = tonumber(redis.call('HGET', OCCUPIED, name) or redis.call('ZSCORE', VACATED, name) or 0)
if known >= version then return end
if is_occupied then
  redis.call('ZADD', NAMES, 0, name)
  redis.call('HSET', OCCUPIED, name, ARGV[2])
  redis.call('ZREM', VACATED, name)
else
  redis.call('ZREM', NAMES, name)
  redis.call('HDEL', OCCUPIED, name)
  redis.call('ZADD', VACATED, ARGV[2], name)
end
redis.call('ZREMRANGEBYSCORE', VACATED, '-inf', text(now - VACATED_SECONDS * 1000000))
-- A name that is forgotten too early can only be listed by a delayed note, and readers of the index check the topic.
redis.call('ZREMRANGEBYRANK', VACATED, 0, -MAX_VACATED - 1)
redis.call('EXPIRE', VACATED, VACATED_SECONDS)
