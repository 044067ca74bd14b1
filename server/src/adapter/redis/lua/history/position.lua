-- Reads the position of the newest event of a topic.
--
-- KEYS[1]  the topic
-- ARGV[1]  nonce of the first position of a channel that has none
-- Answers  id
--- @include "../lib/history"
open_history(ARGV[1])
return last_id
