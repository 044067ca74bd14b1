-- Every script on the seats of a topic begins with topic.lua and this. A seat is stored as "NODE JSON". The seats that
-- one node has in the topic are a set, so that they are found when the node is gone.
local function seats_of(node)
  return TOPIC .. ':node:' .. node
end

local function node_of(seat)
  return string.sub(seat, 1, string.find(seat, ' ', 1, true) - 1)
end

local is_user = string.find(TOPIC, ':#user-', 1, true) ~= nil

local function all_members()
  return '[' .. table.concat(redis.call('HVALS', MEMBERS), ',') .. ']'
end

-- Takes one seat away, and tells what that changes: { socket id, JSON of the user id who is gone or '', 1 if vacated }
local function vacate(socket_id)
  local seat = redis.call('HGET', SEATS, socket_id)
  if not seat then return nil end
  redis.call('HDEL', SEATS, socket_id)
  redis.call('SREM', seats_of(node_of(seat)), socket_id)
  local gone = ''
  local user_id = redis.call('HGET', SITTERS, socket_id)
  if user_id then
    redis.call('HDEL', SITTERS, socket_id)
    if redis.call('HINCRBY', PLACES, user_id, -1) <= 0 then
      redis.call('HDEL', PLACES, user_id)
      redis.call('HDEL', MEMBERS, user_id)
      gone = user_id
    end
  end
  local vacated = redis.call('EXISTS', SEATS) == 0
  if gone ~= '' then
    tell('{"kind":"memberRemoved","userId":' .. gone .. '}')
  elseif vacated and is_user then
    tell('{"kind":"userOffline"}')
  else
    raise()
  end
  return { socket_id, gone, vacated and 1 or 0 }
end
