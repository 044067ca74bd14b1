-- Begins requests that publish under an idempotency key, or answers how far they are. Beyond the bounds of the app the oldest
-- are forgotten.
--
-- KEYS[1]  the requests of the app
-- ARGV[1]  seconds for which they are known
-- ARGV[2]  most records
-- ARGV[3]  most bytes
-- ARGV[4…] of each request: id, fingerprint, `running` if it makes an answer or `open`, names of its channels
-- Answers  { records, bytes, { progress of each: 'open', 'running' or 'answered ANSWER' }, { id, channels, … of the
--          forgotten } }, or 'mismatch'
--- @include "../lib/idempotency"
local OVERHEAD, MAX_AT_ONCE = 300, 1000
local seconds, max_records, max_bytes = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function forget(id)
  local channels = redis.call('HGET', CHANNELS, id) or ''
  total = total - #(redis.call('HGET', RECORDS, id) or '') - #channels - OVERHEAD
  redis.call('HDEL', RECORDS, id)
  redis.call('HDEL', CHANNELS, id)
  redis.call('ZREM', ENDS, id)
  return channels
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', ENDS, '-inf', now, 'LIMIT', 0, MAX_AT_ONCE)) do forget(id) end

local is_mismatch = false
for i = 4, #ARGV, 4 do
  local fingerprint = read_record(ARGV[i])
  if fingerprint and fingerprint ~= ARGV[i + 1] then is_mismatch = true end
end
if is_mismatch then
  save_total()
  return 'mismatch'
end

local progress = {}
for i = 4, #ARGV, 4 do
  local id, fingerprint, begun, channels = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local known, state, answer = read_record(id)
  if not known then
    redis.call('HSET', CHANNELS, id, channels)
    redis.call('ZADD', ENDS, now + seconds * 1000, id)
    total = total + #channels + OVERHEAD
  end
  if not known or state == 'open' then
    write_record(id, fingerprint, begun, '')
    progress[#progress + 1] = 'open'
  elseif state == 'answered' then
    progress[#progress + 1] = 'answered ' .. answer
  else
    progress[#progress + 1] = 'running'
  end
end

local forgotten = {}
while #forgotten < 2 * MAX_AT_ONCE and (redis.call('ZCARD', ENDS) > max_records or total > max_bytes) do
  local id = redis.call('ZRANGE', ENDS, 0, 0)[1]
  if not id then break end
  forgotten[#forgotten + 1] = id
  forgotten[#forgotten + 1] = forget(id)
end
save_total()
return { redis.call('ZCARD', ENDS), total, progress, forgotten }
