-- Adds a block, or replaces the one of the same user and channel, within the bounds of an app.
--
-- KEYS[1]  the blocks of an app
-- ARGV[1]  user and channel
-- ARGV[2]  block as JSON
-- ARGV[3]  milliseconds for which it holds
-- ARGV[4]  bytes that it counts for
-- ARGV[5]  number of blocks that the app may have
-- ARGV[6]  number of bytes that its blocks may have
-- Answers  1, or 0 if there is no room
--- @include "../lib/clock"
local ENDS, BLOCKS, BYTES = KEYS[1] .. ':ends', KEYS[1] .. ':blocks', KEYS[1] .. ':bytes'
local MAX_FORGOTTEN = 1000
local user, block, milliseconds, bytes, max_blocks, max_bytes = unpack(ARGV)
local now_ms = math.floor(now / 1000)

local function forget(ended)
  local ended_bytes = redis.call('HGET', BYTES, ':' .. ended) or 0
  redis.call('ZREM', ENDS, ended)
  redis.call('HDEL', BLOCKS, ended)
  redis.call('HINCRBY', BYTES, 'all', -ended_bytes)
  redis.call('HDEL', BYTES, ':' .. ended)
end
for _, ended in ipairs(redis.call('ZRANGEBYSCORE', ENDS, '-inf', now_ms, 'LIMIT', 0, MAX_FORGOTTEN)) do forget(ended) end

local before = redis.call('HGET', BYTES, ':' .. user)
local all_bytes = (redis.call('HGET', BYTES, 'all') or 0) - (before or 0) + bytes
local all_blocks = redis.call('ZCARD', ENDS) + (before and 0 or 1)
if all_blocks > tonumber(max_blocks) or all_bytes > tonumber(max_bytes) then return 0 end
redis.call('ZADD', ENDS, now_ms + milliseconds, user)
redis.call('HSET', BLOCKS, user, block)
redis.call('HSET', BYTES, ':' .. user, bytes, 'all', all_bytes)
local last = redis.call('ZRANGE', ENDS, -1, -1, 'WITHSCORES')
for _, key in ipairs({ ENDS, BLOCKS, BYTES }) do redis.call('PEXPIREAT', key, string.format('%.0f', last[2])) end
return 1
