-- Keeps a revocation in place of the one with the same id, within the bounds of an app.
--
-- KEYS[1]  the revocations
-- ARGV[1]  the app
-- ARGV[2]  id
-- ARGV[3]  revocation as JSON
-- ARGV[4]  Unix milliseconds until which it is kept
-- ARGV[5]  bytes that it counts for
-- ARGV[6]  number of revocations that the app may have
-- ARGV[7]  number of bytes that they may have
-- Answers  1, or 0 if there is no room
--- @include "../lib/clock"
local app, id, revocation, kept_until, bytes, max_count, max_bytes = unpack(ARGV)
local ENDS, KEPT, BYTES = KEYS[1] .. ':ends:' .. app, KEYS[1] .. ':kept:' .. app, KEYS[1] .. ':bytes:' .. app
local MAX_FORGOTTEN = 1000
local now_ms = math.floor(now / 1000)
if tonumber(kept_until) <= now_ms then return 1 end

local function forget(ended)
  local ended_bytes = redis.call('HGET', BYTES, ':' .. ended) or 0
  redis.call('ZREM', ENDS, ended)
  redis.call('HDEL', KEPT, ended)
  redis.call('HINCRBY', BYTES, 'all', -ended_bytes)
  redis.call('HDEL', BYTES, ':' .. ended)
end
for _, ended in ipairs(redis.call('ZRANGEBYSCORE', ENDS, '-inf', now_ms, 'LIMIT', 0, MAX_FORGOTTEN)) do forget(ended) end

local before = redis.call('HGET', BYTES, ':' .. id)
local all_bytes = (redis.call('HGET', BYTES, 'all') or 0) - (before or 0) + bytes
local all = redis.call('ZCARD', ENDS) + (before and 0 or 1)
if all > tonumber(max_count) or all_bytes > tonumber(max_bytes) then return 0 end
redis.call('ZADD', ENDS, kept_until, id)
redis.call('HSET', KEPT, id, revocation)
redis.call('HSET', BYTES, ':' .. id, bytes, 'all', all_bytes)
redis.call('SADD', KEYS[1], app)
local last = redis.call('ZRANGE', ENDS, -1, -1, 'WITHSCORES')
for _, key in ipairs({ ENDS, KEPT, BYTES }) do redis.call('PEXPIREAT', key, string.format('%.0f', last[2])) end
return 1
