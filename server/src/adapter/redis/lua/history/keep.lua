-- Counts the bytes of the histories of an app, and names the channel that must drop its oldest events.
--
-- KEYS[1]  the histories of the app
-- ARGV[1]  most bytes
-- ARGV[2…] of each channel that has changed: name, bytes, version of its oldest event, seconds until it expires
-- Answers  { bytes of the app, channel that must drop events or '', most bytes that it keeps, version up to which it drops them or '' }
local BYTES, AGES, ENDS, TOTAL = KEYS[1] .. ':bytes', KEYS[1] .. ':ages', KEYS[1] .. ':ends', KEYS[1] .. ':total'
local MAX_AT_ONCE = 1000
local max_bytes = tonumber(ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local total = tonumber(redis.call('GET', TOTAL) or 0)

local function forget(channel)
  total = total - tonumber(redis.call('HGET', BYTES, channel) or 0)
  redis.call('HDEL', BYTES, channel)
  redis.call('ZREM', AGES, channel)
  redis.call('ZREM', ENDS, channel)
end

for _, channel in ipairs(redis.call('ZRANGEBYSCORE', ENDS, '-inf', now, 'LIMIT', 0, MAX_AT_ONCE)) do forget(channel) end

for i = 2, #ARGV, 4 do
  local channel, bytes, age, seconds = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3]
  forget(channel)
  if bytes > 0 then
    redis.call('HSET', BYTES, channel, bytes)
    redis.call('ZADD', AGES, age, channel)
    redis.call('ZADD', ENDS, now + seconds * 1000, channel)
    total = total + bytes
  end
end

local last = redis.call('ZRANGE', ENDS, -1, -1, 'WITHSCORES')[2]
if not last then
  redis.call('DEL', TOTAL)
  return { 0, '', 0, '' }
end
redis.call('SET', TOTAL, string.format('%.0f', total))
for _, key in ipairs({ BYTES, AGES, ENDS, TOTAL }) do redis.call('PEXPIREAT', key, string.format('%.0f', last)) end
if total <= max_bytes then return { total, '', 0, '' } end
local oldest = redis.call('ZRANGE', AGES, 0, 1, 'WITHSCORES')
local kept = math.max(0, tonumber(redis.call('HGET', BYTES, oldest[1])) - (total - max_bytes))
return { total, oldest[1], kept, oldest[4] and string.format('%.0f', oldest[4]) or '' }
