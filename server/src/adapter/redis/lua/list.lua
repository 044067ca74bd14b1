-- Notes whether a name is occupied. Whoever changed that tells it here, with the version of his change: the later one
-- holds, also if it is told first. KEYS[1] names the list of an app.
local NAMES, OCCUPIED, VACATED = KEYS[1] .. ':names', KEYS[1] .. ':occupied', KEYS[1] .. ':vacated'
local name, version, is_occupied = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'
local VACATED_SECONDS, MAX_VACATED = 60, 10000

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
local time = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', VACATED, '-inf', string.format('%.0f', (time[1] - VACATED_SECONDS) * 1000000))
-- What is forgotten early could only be listed by a note that is late, and whoever reads the list looks at the topic.
redis.call('ZREMRANGEBYRANK', VACATED, 0, -MAX_VACATED - 1)
redis.call('EXPIRE', VACATED, VACATED_SECONDS)
