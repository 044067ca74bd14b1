-- Reads the block of a user, if one holds.
--
-- KEYS[1]  the blocks of an app
-- ARGV[1]  user and channel
-- Answers  the block as JSON, or nothing
--- @include "../lib/clock"
local ends = redis.call('ZSCORE', KEYS[1] .. ':ends', ARGV[1])
if not ends or tonumber(ends) <= math.floor(now / 1000) then return false end
return redis.call('HGET', KEYS[1] .. ':blocks', ARGV[1])
