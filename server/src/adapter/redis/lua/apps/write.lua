-- Writes a change of the app store whole if it was made for the present version, or else nothing.
--
-- KEYS[1]  the topic of the app store
-- ARGV[1]  deadline in microseconds
-- ARGV[2]  version for which the change was made
-- ARGV[3]  time of the node in Unix milliseconds, by which answers end
-- ARGV[4]  number of entries that are kept
-- ARGV[5]  number of answers that are kept
-- ARGV[6]  key of the answer, or ''
-- ARGV[7]  answer, sealed
-- ARGV[8]  end of the answer in Unix milliseconds
-- ARGV[9]  number of documents
-- Then each document as id and sealed text ('': it is removed), and each entry.
-- Answers  the new version, 'outdated', or 'expired'
--- @include "../lib/deadline"
--- @include "../lib/publish"
--- @include "../lib/apps"
--- @include "../lib/app-trail"
local deadline, base, node_ms, max_entries, max_answers, answer_key, answer, answer_end, documents = unpack(ARGV, 1, 9)
local FIRST = 10
if is_expired(deadline) then return 'expired' end
if tonumber(base) ~= present then return 'outdated' end

local at = text(math.max(next_version(), present + 1))
local first_entry = FIRST + 2 * documents
for index = FIRST, first_entry - 1, 2 do put(ARGV[index], ARGV[index + 1], at) end

local n = tonumber(redis.call('GET', LAST_ENTRY) or 0)
for index = first_entry, #ARGV do
  n = n + 1
  redis.call('ZADD', ENTRIES, n, n .. ' ' .. ARGV[index])
end
redis.call('SET', LAST_ENTRY, n)
redis.call('ZREMRANGEBYRANK', ENTRIES, 0, -max_entries - 1)

local function forget(keys)
  for _, key in ipairs(keys) do
    redis.call('HDEL', ANSWERS, key)
    redis.call('ZREM', ANSWER_ENDS, key)
  end
end
if answer_key ~= '' then
  redis.call('HSET', ANSWERS, answer_key, answer)
  redis.call('ZADD', ANSWER_ENDS, answer_end, answer_key)
end
forget(redis.call('ZRANGEBYSCORE', ANSWER_ENDS, '-inf', node_ms))
forget(redis.call('ZRANGE', ANSWER_ENDS, 0, -max_answers - 1))
announce(at)
return at
