-- Reads an answer that is kept.
--
-- KEYS[1]  the topic of the app store
-- ARGV[1]  key of the answer
-- ARGV[2]  time of the node in Unix milliseconds
-- Answers  the answer, sealed, or nil
--- @include "../lib/topic-keys"
--- @include "../lib/app-trail"
local ends = redis.call('ZSCORE', ANSWER_ENDS, ARGV[1])
if not ends or tonumber(ends) <= tonumber(ARGV[2]) then return nil end
return redis.call('HGET', ANSWERS, ARGV[1])
