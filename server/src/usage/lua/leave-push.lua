-- Gives the turn to push back, if the node still has it.
--
-- KEYS[1]  the usage of all apps
-- ARGV[1]  node
local TURN = KEYS[1] .. ':push-turn'
if redis.call('GET', TURN) == ARGV[1] then redis.call('DEL', TURN) end
return 0
