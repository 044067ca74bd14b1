-- Counts what the cache channels of an app keep, and evicts what exceeds the bounds of the app: what expires first goes first.
--
-- KEYS[1]  the list of the app
-- ARGV[1]  most kept events
-- ARGV[2]  most bytes
-- ARGV[3…] of each new kept event: channel, version, bytes, seconds until it expires
-- Answers  { channel, version, … } of what must be forgotten
local ENDS, KEPT, TOTAL = KEYS[1] .. ':ends', KEYS[1] .. ':kept', KEYS[1] .. ':total'
local MAX_AT_ONCE = 1000
local max_events, max_bytes = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local total = tonumber(redis.call('GET', TOTAL) or 0)

local function known(channel)
  local version, bytes = string.match(redis.call('HGET', KEPT, channel) or '', '^(%d+) (%d+)$')
  return version, tonumber(bytes or 0)
end

local function drop(channel)
  local version, bytes = known(channel)
  redis.call('ZREM', ENDS, channel)
  redis.call('HDEL', KEPT, channel)
  total = total - bytes
  return version
end

for _, channel in ipairs(redis.call('ZRANGEBYSCORE', ENDS, '-inf', now, 'LIMIT', 0, MAX_AT_ONCE)) do drop(channel) end

for i = 3, #ARGV, 4 do
  local channel, version, bytes, seconds = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local before = known(channel)
  -- Another node may have counted a later one already.
  if not before or tonumber(before) < tonumber(version) then
    drop(channel)
    redis.call('ZADD', ENDS, now + seconds * 1000, channel)
    redis.call('HSET', KEPT, channel, version .. ' ' .. bytes)
    total = total + bytes
  end
end

local evicted = {}
while #evicted < 2 * MAX_AT_ONCE and (redis.call('ZCARD', ENDS) > max_events or total > max_bytes) do
  local channel = redis.call('ZRANGE', ENDS, 0, 0)[1]
  if not channel then break end
  evicted[#evicted + 1] = channel
  evicted[#evicted + 1] = drop(channel)
end

local last = redis.call('ZRANGE', ENDS, -1, -1, 'WITHSCORES')[2]
if last then
  redis.call('SET', TOTAL, string.format('%.0f', total))
  for _, key in ipairs({ ENDS, KEPT, TOTAL }) do redis.call('PEXPIREAT', key, string.format('%.0f', last)) end
else
  redis.call('DEL', TOTAL)
end
return evicted
