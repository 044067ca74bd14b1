#!lua flags=allow-oom
-- Takes away some seats of a dead node.
--
-- KEYS[1]  the topic
-- ARGV[1]  id of the node
-- ARGV[2]  how many seats at most
-- Answers  { number of seats that it still has here, version, list of what each seat changed as `vacate` returns it }
--- @include "../lib/vacate"
local node, count = unpack(ARGV)
local changes = {}
local socket_ids = redis.call('SPOP', seats_of_node(node), count)
for _, socket_id in ipairs(socket_ids) do
  local seat = redis.call('HGET', SEATS, socket_id)
  if seat and node_of(seat) == node then table.insert(changes, vacate(socket_id)) end
end
return { redis.call('SCARD', seats_of_node(node)), version, changes }
