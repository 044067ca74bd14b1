-- Notes that an app is warned of a quota, once for each period.
--
-- KEYS[1]  the usage of all apps
-- ARGV[1]  app
-- ARGV[2]  quota
-- ARGV[3]  start of the period in milliseconds
-- Answers  1 if nobody has warned in this period
local WARNED, quota = KEYS[1] .. ':warned', ARGV[1] .. ' ' .. ARGV[2]
if redis.call('HGET', WARNED, quota) == ARGV[3] then return 0 end
redis.call('HSET', WARNED, quota, ARGV[3])
return 1
