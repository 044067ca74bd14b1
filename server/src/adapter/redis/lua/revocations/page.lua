-- Reads some of the revocations of an app, those that are over included.
--
-- KEYS[1]  the revocations
-- ARGV[1]  the app
-- ARGV[2]  cursor, '0' for the first page
-- Answers  { cursor of the next page, or '0', revocations as JSON }
local answer = redis.call('HSCAN', KEYS[1] .. ':kept:' .. ARGV[1], ARGV[2], 'COUNT', 500)
local revocations = {}
for i = 2, #answer[2], 2 do table.insert(revocations, answer[2][i]) end
return { answer[1], revocations }
