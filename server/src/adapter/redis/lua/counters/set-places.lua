#!lua flags=allow-oom
-- Sets how many places of a quota a node holds.
--
-- KEYS[1]  the quota
-- ARGV[1]  id of the node
-- ARGV[2]  number of places
local node, places = unpack(ARGV)
if tonumber(places) > 0 then
  redis.call('HSET', KEYS[1], node, places)
else
  redis.call('HDEL', KEYS[1], node)
end
