#!lua flags=allow-oom
-- Tells a node the answer to its question.
--
-- KEYS[1]  what all nodes share
-- ARGV[1]  channel on which the node hears its own heartbeats
-- ARGV[2]  answer as JSON
redis.call('SPUBLISH', ARGV[1], ARGV[2])
