--- @include "topic-keys"
-- Defines `all_members`, the members of a topic as a JSON array.
local function all_members()
  return '[' .. table.concat(redis.call('HVALS', MEMBERS), ',') .. ']'
end
