-- Answers { version, position, messages }: those that are still there, unless nothing was told after a position.
local seen = ARGV[1]
if seen == '' or position <= tonumber(seen) then return { version, position, {} } end
return { version, position, redis.call('LRANGE', LOG, 0, -1) }
