-- Notes that a node holds something in a topic or quota, so that it is found when the node is gone.
--
-- KEYS[1]  the node
-- ARGV[1]  'topics' or 'quotas'
-- ARGV[2]  name of the topic or quota
redis.call('SADD', KEYS[1] .. ':' .. ARGV[1], ARGV[2])
