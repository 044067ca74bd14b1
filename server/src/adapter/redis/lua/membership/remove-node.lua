#!lua flags=allow-oom
-- Forgets a node that holds nothing any more.
--
-- KEYS[1]  what all nodes share
-- ARGV[1]  id of the node
redis.call('ZREM', KEYS[1] .. ':leases', ARGV[1])
redis.call('ZREM', KEYS[1] .. ':lapsed', ARGV[1])
