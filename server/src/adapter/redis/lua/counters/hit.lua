-- Counts hits in a window.
--
-- KEYS[1]  the window
-- ARGV[1]  length of the window in milliseconds
-- ARGV[2]  how many hits
-- Answers  { hits, milliseconds until the window ends }
local hits = redis.call('INCRBY', KEYS[1], ARGV[2])
if hits == tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return { hits, redis.call('PTTL', KEYS[1]) }
