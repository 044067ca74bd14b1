-- Gives a seat up. Answers { version, subscriptions, what changed }, or nothing if it was not taken.
local change = vacate(ARGV[1])
if not change then return false end
return { version, redis.call('HLEN', SEATS), change }
