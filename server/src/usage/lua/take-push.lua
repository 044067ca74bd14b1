-- Gives a node the turn to push rows elsewhere, unless another node has it.
--
-- KEYS[1]  the usage of all apps
-- ARGV[1]  node
-- ARGV[2]  milliseconds for which it has the turn
-- ARGV[3]  start and app of the row after which to begin if nothing was ever pushed
-- Answers  start and app of the row that was pushed last; nil if another node has the turn
local TURN, PUSHED = KEYS[1] .. ':push-turn', KEYS[1] .. ':pushed'
local holder = redis.call('GET', TURN)
if holder and holder ~= ARGV[1] then return nil end
redis.call('SET', TURN, ARGV[1], 'PX', ARGV[2])
redis.call('SETNX', PUSHED, ARGV[3])
return redis.call('GET', PUSHED)
