#!lua flags=allow-oom
-- Forgets that a node holds something in a topic or quota.
--
-- KEYS[1]  the node
-- ARGV[1]  'topics' or 'quotas'
-- ARGV[2]  name of the topic or quota
redis.call('SREM', KEYS[1] .. ':' .. ARGV[1], ARGV[2])
