-- Takes a place for a node if one of the limit is free. Answers 1, 0 if none is, or 'late'.
local deadline, node, limit = unpack(ARGV)
local time = redis.call('TIME')
if time[1] * 1000000 + time[2] > tonumber(deadline) then return 'late' end
if limit ~= '' then
  local held = 0
  for _, places in ipairs(redis.call('HVALS', KEYS[1])) do held = held + places end
  if held >= tonumber(limit) then return 0 end
end
redis.call('HINCRBY', KEYS[1], node, 1)
return 1
