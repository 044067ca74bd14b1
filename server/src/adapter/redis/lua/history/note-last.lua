-- Notes how far a connection had got in the history of a channel.
--
-- KEYS[1]  what is kept of the connections of an app
-- ARGV[1]  connection and channel
-- ARGV[2]  position and user as JSON
-- ARGV[3]  seconds for which it is kept
-- ARGV[4]  most entries of the app
-- ARGV[5]  most bytes of them
-- Answers  how many entries had to go before their end
--- @include "../lib/last-positions"
local OVERHEAD, MAX_AT_ONCE = 150, 1000
local field, value, seconds, max_entries, max_bytes = unpack(ARGV)
local bytes = tonumber(redis.call('GET', BYTES) or 0)

local function forget(each)
  bytes = bytes - #each - #(redis.call('HGET', LAST, each) or '') - OVERHEAD
  redis.call('HDEL', LAST, each)
  redis.call('ZREM', ENDS, each)
end

for _, each in ipairs(redis.call('ZRANGEBYSCORE', ENDS, '-inf', now_ms, 'LIMIT', 0, MAX_AT_ONCE)) do forget(each) end
if redis.call('HEXISTS', LAST, field) == 1 then forget(field) end

redis.call('HSET', LAST, field, value)
redis.call('ZADD', ENDS, text(now_ms + seconds * 1000), field)
bytes = bytes + #field + #value + OVERHEAD

local forgotten = 0
while redis.call('HLEN', LAST) > tonumber(max_entries) or bytes > tonumber(max_bytes) do
  forget(redis.call('ZRANGE', ENDS, 0, 0)[1])
  forgotten = forgotten + 1
end

redis.call('SET', BYTES, text(bytes))
local last_end = redis.call('ZRANGE', ENDS, -1, -1, 'WITHSCORES')[2] or now_ms
for _, key in ipairs({ LAST, ENDS, BYTES }) do redis.call('PEXPIREAT', key, text(last_end)) end
return forgotten
