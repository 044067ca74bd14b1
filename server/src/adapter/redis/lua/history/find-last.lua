-- Reads how far a connection had got in the history of a channel.
--
-- KEYS[1]  what is kept of the connections of an app
-- ARGV[1]  connection and channel
-- Answers  position and user as JSON, or ''
--- @include "../lib/last-positions"
local ends = redis.call('ZSCORE', ENDS, ARGV[1])
if not ends or tonumber(ends) <= now_ms then return '' end
return redis.call('HGET', LAST, ARGV[1])
