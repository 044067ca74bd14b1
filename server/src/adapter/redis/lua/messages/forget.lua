#!lua flags=allow-oom
-- Removes the kept event of a topic if it is still the one of a version.
--
-- KEYS[1]  the topic
-- ARGV[1]  the version
--- @include "../lib/topic-keys"
local kept = redis.call('GET', KEPT)
if kept and string.find(kept, '{"version":' .. ARGV[1] .. ',', 1, true) == 1 then redis.call('DEL', KEPT) end
