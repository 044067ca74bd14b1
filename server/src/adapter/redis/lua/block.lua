-- Keeps a user out for a while, in the place of a block that they have already. KEYS[1] names the blocks of an app.
-- Answers 1, or 0 if there is no room.
local ENDS, BLOCKS, BYTES = KEYS[1] .. ':ends', KEYS[1] .. ':blocks', KEYS[1] .. ':bytes'
local MAX_FORGOTTEN = 1000
local user, block, milliseconds, bytes, max_blocks, max_bytes = unpack(ARGV)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

for _, ended in ipairs(redis.call('ZRANGEBYSCORE', ENDS, '-inf', now, 'LIMIT', 0, MAX_FORGOTTEN)) do
  redis.call('ZREM', ENDS, ended)
  redis.call('HDEL', BLOCKS, ended)
  redis.call('HINCRBY', BYTES, 'all', -(redis.call('HGET', BYTES, ':' .. ended) or 0))
  redis.call('HDEL', BYTES, ':' .. ended)
end

local before = redis.call('HGET', BYTES, ':' .. user)
local taken = (redis.call('HGET', BYTES, 'all') or 0) - (before or 0) + bytes
local blocks = redis.call('ZCARD', ENDS) + (before and 0 or 1)
if blocks > tonumber(max_blocks) or taken > tonumber(max_bytes) then return 0 end
redis.call('ZADD', ENDS, now + milliseconds, user)
redis.call('HSET', BLOCKS, user, block)
redis.call('HSET', BYTES, ':' .. user, bytes, 'all', taken)
local last = redis.call('ZRANGE', ENDS, -1, -1, 'WITHSCORES')
for _, key in ipairs({ ENDS, BLOCKS, BYTES }) do redis.call('PEXPIREAT', key, string.format('%.0f', last[2])) end
return 1
