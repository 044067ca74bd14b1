-- Notes the row that was pushed last, if the node still has the turn.
--
-- KEYS[1]  the usage of all apps
-- ARGV[1]  node
-- ARGV[2]  start and app of the row
if redis.call('GET', KEYS[1] .. ':push-turn') == ARGV[1] then redis.call('SET', KEYS[1] .. ':pushed', ARGV[2]) end
return 0
