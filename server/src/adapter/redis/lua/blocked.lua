-- Answers what keeps a user out, if something does. KEYS[1] names the blocks of an app.
local ends = redis.call('ZSCORE', KEYS[1] .. ':ends', ARGV[1])
if not ends then return false end
local time = redis.call('TIME')
if tonumber(ends) <= time[1] * 1000 + math.floor(time[2] / 1000) then return false end
return redis.call('HGET', KEYS[1] .. ':blocks', ARGV[1])
