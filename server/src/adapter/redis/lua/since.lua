-- Answers { version, position, messages, version of the last message that ended something or 0 }. The messages are
-- those that are still there, unless nothing was told after a position.
local seen = ARGV[1]
local ended = tonumber(redis.call('GET', ENDED) or 0)
if seen == '' or position <= tonumber(seen) then return { version, position, {}, ended } end
return { version, position, redis.call('LRANGE', LOG, 0, -1), ended }
