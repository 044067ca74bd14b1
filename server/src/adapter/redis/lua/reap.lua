-- Takes away some seats of a node that is gone. Answers { how many it still has here, version, what each of the others
-- changed }.
local node, count = unpack(ARGV)
local changes = {}
for _, socket_id in ipairs(redis.call('SPOP', seats_of(node), count)) do
  local seat = redis.call('HGET', SEATS, socket_id)
  if seat and node_of(seat) == node then table.insert(changes, vacate(socket_id)) end
end
return { redis.call('SCARD', seats_of(node)), version, changes }
