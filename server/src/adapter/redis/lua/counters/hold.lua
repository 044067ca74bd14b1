-- Takes a place of a quota for a node, if one is free.
--
-- KEYS[1]  the quota
-- ARGV[1]  deadline in microseconds
-- ARGV[2]  id of the node
-- ARGV[3]  limit of the quota, or ''
-- Answers  1, 0 if no place is free, or 'expired'
--- @include "../lib/deadline"
local deadline, node, limit = unpack(ARGV)
if is_expired(deadline) then return 'expired' end
if limit ~= '' then
  local held = 0
  for _, places in ipairs(redis.call('HVALS', KEYS[1])) do held = held + places end
  if held >= tonumber(limit) then return 0 end
end
redis.call('HINCRBY', KEYS[1], node, 1)
return 1
