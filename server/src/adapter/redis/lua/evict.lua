-- Takes away the seats of a member and those of some socket ids. Answers { version, what each of them changed }, or 'late'.
-- It is told even if there are none: a node that was cut off has lost its seats, and not its connections.
local deadline, who, reason, user_id = unpack(ARGV)
if is_late(deadline) then return 'late' end

local evicted, known = {}, {}
local function take(socket_id)
  if known[socket_id] or redis.call('HEXISTS', SEATS, socket_id) == 0 then return end
  known[socket_id] = true
  table.insert(evicted, socket_id)
end
if user_id ~= '' and redis.call('HEXISTS', MEMBERS, user_id) == 1 then
  local sitters = redis.call('HGETALL', SITTERS)
  for i = 1, #sitters, 2 do
    if sitters[i + 1] == user_id then take(sitters[i]) end
  end
end
for i = 5, #ARGV do take(ARGV[i]) end

-- First those who go, so that they are not told of their own removal.
tell('{"kind":"evicted","who":' .. who .. ',"reason":' .. reason .. '}')
note_end()
local changes = {}
for _, socket_id in ipairs(evicted) do table.insert(changes, vacate(socket_id)) end
return { version, changes }
