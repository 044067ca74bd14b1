#!lua flags=allow-oom
-- Drops the history of a topic and its kept event. The position of the newest event stays valid.
--
-- KEYS[1]  the topic
-- ARGV[1]  nonce of the first position of a channel that has none
--- @include "../lib/history"
open_history(ARGV[1])
redis.call('HSET', POSITIONS, 'before', last_id, 'bytes', 0)
redis.call('DEL', HISTORY, EXCLUDED, KEPT)
return 1
