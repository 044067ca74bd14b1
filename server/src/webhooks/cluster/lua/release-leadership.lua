#!lua flags=allow-oom
-- Releases the leadership, if the term still holds it. If the node hands over, the other nodes learn at once that there is
-- no leader.
--
-- KEYS[1]  what webhooks keep in Redis
-- ARGV[1]  id of the term
-- ARGV[2]  1 if the node hands over because it stops
local LEADER, HANDED_OVER = KEYS[1] .. ':clerk', KEYS[1] .. ':handed-over'
if redis.call('GET', LEADER) ~= ARGV[1] then return end
redis.call('DEL', LEADER)
if ARGV[2] ~= '1' then return end
redis.call('SPUBLISH', KEYS[1], 'vacant')
redis.call('SET', HANDED_OVER, '1')
