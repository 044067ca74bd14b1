--- @include "publish"
--- @include "seats"
--- @include "user-topic"
-- Defines `vacate`, which removes one seat and publishes what that changes. Returns { socket id, JSON of the user id that
-- left with it or '', 1 if the topic is vacated }, or nil if there is no such seat.

-- Removes a seat from its member. Returns the user id if it was their last one, or ''.
local function remove_member_seat(socket_id)
  local user_id = redis.call('HGET', MEMBER_OF_SEAT, socket_id)
  if not user_id then return '' end
  redis.call('HDEL', MEMBER_OF_SEAT, socket_id)
  local left = redis.call('HINCRBY', SEATS_OF_MEMBER, user_id, -1)
  if left > 0 then return '' end
  redis.call('HDEL', SEATS_OF_MEMBER, user_id)
  redis.call('HDEL', MEMBERS, user_id)
  return user_id
end

local function vacate(socket_id)
  local seat = redis.call('HGET', SEATS, socket_id)
  if not seat then return nil end
  redis.call('HDEL', SEATS, socket_id)
  redis.call('SREM', seats_of_node(node_of(seat)), socket_id)
  local removed = remove_member_seat(socket_id)
  local is_vacated = redis.call('EXISTS', SEATS) == 0
  if removed ~= '' then
    append_and_publish('{"kind":"memberRemoved","userId":' .. removed .. '}')
  elseif is_vacated and is_user_topic then
    append_and_publish('{"kind":"userOffline"}')
  else
    bump_version()
  end
  return { socket_id, removed, is_vacated and 1 or 0 }
end
