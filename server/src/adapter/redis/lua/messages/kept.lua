-- Reads the kept event of a topic.
--
-- KEYS[1]  the topic
-- Answers  { event or '', milliseconds until it expires }
--- @include "../lib/topic-keys"
return { redis.call('GET', KEPT) or '', redis.call('PTTL', KEPT) }
