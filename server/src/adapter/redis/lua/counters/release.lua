#!lua flags=allow-oom
-- Gives back a place of a quota.
--
-- KEYS[1]  the quota
-- ARGV[1]  id of the node
local places = redis.call('HINCRBY', KEYS[1], ARGV[1], -1)
if places <= 0 then redis.call('HDEL', KEYS[1], ARGV[1]) end
