#!lua flags=allow-oom
-- Forgets that a request has published an event to a topic.
--
-- KEYS[1]  the topic
-- ARGV[1]  id of the request
--- @include "../lib/topic-keys"
redis.call('DEL', PUBLISHED_ONCE .. ARGV[1])
