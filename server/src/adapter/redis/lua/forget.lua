-- Forgets the kept event, if it still is the one of a version.
local kept = redis.call('GET', KEPT)
if kept and string.find(kept, '{"version":' .. ARGV[1] .. ',', 1, true) == 1 then redis.call('DEL', KEPT) end
