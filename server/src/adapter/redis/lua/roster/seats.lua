-- Reads the seats of a topic.
--
-- KEYS[1]  the topic
-- Answers  socket ids and seats ("NODE VERSION JSON") in turn
--- @include "../lib/topic-keys"
return redis.call('HGETALL', SEATS)
