-- Reads some of the revocations of an app that are not over.
--
-- KEYS[1]  the revocations
-- ARGV[1]  the app
-- ARGV[2]  cursor, '0' for the first page
-- Answers  { cursor of the next page, or '0', revocations as JSON, Unix milliseconds of the present }
--- @include "../lib/clock"
local answer = redis.call('HSCAN', KEYS[1] .. ':kept:' .. ARGV[1], ARGV[2], 'COUNT', 500)
local now_ms, revocations = math.floor(now / 1000), {}
for i = 1, #answer[2], 2 do
  local ends = redis.call('ZSCORE', KEYS[1] .. ':ends:' .. ARGV[1], answer[2][i])
  if ends and tonumber(ends) > now_ms then table.insert(revocations, answer[2][i + 1]) end
end
return { answer[1], revocations, now_ms }
