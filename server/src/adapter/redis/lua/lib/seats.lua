--- @include "topic-keys"
-- Defines `seats_of_node`, the key of the set of socket ids of one node, by which its seats are found when the node is
-- gone, and `node_of`, the node of a stored seat ("NODE VERSION JSON", with the version of its join).
local function seats_of_node(node)
  return TOPIC .. ':node:' .. node
end

local function node_of(seat)
  local space = string.find(seat, ' ', 1, true)
  return string.sub(seat, 1, space - 1)
end
