-- Reads entries about administration, newest first.
--
-- KEYS[1]  the topic of the app store
-- ARGV[1]  only entries with a lower number
-- ARGV[2]  how many at most
-- Answers  each as "N ENTRY"
--- @include "../lib/topic-keys"
--- @include "../lib/app-trail"
return redis.call('ZREVRANGEBYSCORE', ENTRIES, '(' .. ARGV[1], '-inf', 'LIMIT', 0, ARGV[2])
