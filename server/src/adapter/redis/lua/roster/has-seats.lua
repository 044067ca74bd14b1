-- Says which socket ids have a seat in a topic.
--
-- KEYS[1]  the topic
-- ARGV…    socket ids
-- Answers  1 or 0 for each
--- @include "../lib/topic-keys"
local answers = {}
for i, socket_id in ipairs(ARGV) do answers[i] = redis.call('HEXISTS', SEATS, socket_id) end
return answers
