-- Takes away the seats of a member and those of some socket ids. The eviction is published even if there are no seats: a
-- node that was cut off has lost its seats, but not its connections.
--
-- KEYS[1]  the topic
-- ARGV[1]  deadline in microseconds
-- ARGV[2]  socket id or user id in an object, as JSON
-- ARGV[3]  reason as JSON
-- ARGV[4]  user id of the member as JSON, or ''
-- ARGV[5]… socket ids
-- Answers  { version, list of what each seat changed as `vacate` returns it } or 'expired'
--- @include "../lib/deadline"
--- @include "../lib/vacate"
local deadline, who, reason, user_id = unpack(ARGV)
if is_expired(deadline) then return 'expired' end

local evicted, known = {}, {}
local function add(socket_id)
  if known[socket_id] or redis.call('HEXISTS', SEATS, socket_id) == 0 then return end
  known[socket_id] = true
  table.insert(evicted, socket_id)
end
if user_id ~= '' and redis.call('HEXISTS', MEMBERS, user_id) == 1 then
  local members = redis.call('HGETALL', MEMBER_OF_SEAT)
  for i = 1, #members, 2 do
    if members[i + 1] == user_id then add(members[i]) end
  end
end
for i = 5, #ARGV do add(ARGV[i]) end

-- The eviction comes first, so that evicted subscribers do not receive their own removal.
append_and_publish('{"kind":"evicted","who":' .. who .. ',"reason":' .. reason .. '}')
record_end()
local changes = {}
for _, socket_id in ipairs(evicted) do table.insert(changes, vacate(socket_id)) end
return { version, changes }
