-- Names the keys of the requests of an app that publish under an idempotency key, and reads `total`, the bytes of all.
-- Hashes by id: "FINGERPRINT STATE ANSWER", and the names of the channels. STATE is `open`, `running` (an answer is being
-- made) or `answered`. A sorted set of ids by the time when they are forgotten.
local RECORDS, CHANNELS, ENDS, TOTAL =
  KEYS[1] .. ':records', KEYS[1] .. ':channels', KEYS[1] .. ':ends', KEYS[1] .. ':total'
local total = tonumber(redis.call('GET', TOTAL) or 0)

local function read_record(id)
  return string.match(redis.call('HGET', RECORDS, id) or '', '^(%S+) (%S+) ?(.*)$')
end

local function write_record(id, fingerprint, state, answer)
  local before = redis.call('HGET', RECORDS, id) or ''
  local record = fingerprint .. ' ' .. state .. ' ' .. answer
  redis.call('HSET', RECORDS, id, record)
  total = total + #record - #before
end

-- Writes `total`; what all keys hold ends with the last record.
local function save_total()
  local last = redis.call('ZRANGE', ENDS, -1, -1, 'WITHSCORES')[2]
  if not last then
    redis.call('DEL', TOTAL)
    return
  end
  redis.call('SET', TOTAL, string.format('%.0f', total))
  for _, key in ipairs({ RECORDS, CHANNELS, ENDS, TOTAL }) do
    redis.call('PEXPIREAT', key, string.format('%.0f', last))
  end
end
