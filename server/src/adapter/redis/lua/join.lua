-- Takes a seat, or moves one that is taken to another node. Answers { version, subscriptions, 1 if occupied, 1 if a
-- member was added, JSON of the members, kept event, milliseconds that it is kept }, 'full', or 'late'.
local deadline, node, socket_id, seat, user_id, member, max_members = unpack(ARGV)
if is_late(deadline) then return 'late' end

local occupied, added = false, false
local taken = redis.call('HGET', SEATS, socket_id)
if taken then
  if node_of(taken) ~= node then
    redis.call('SREM', seats_of(node_of(taken)), socket_id)
    redis.call('SADD', seats_of(node), socket_id)
    redis.call('HSET', SEATS, socket_id, node .. ' ' .. seat)
  end
else
  added = member ~= '' and redis.call('HEXISTS', MEMBERS, user_id) == 0
  if added and max_members ~= '' and redis.call('HLEN', MEMBERS) >= tonumber(max_members) then return 'full' end
  occupied = redis.call('HSET', SEATS, socket_id, node .. ' ' .. seat) == 1 and redis.call('HLEN', SEATS) == 1
  redis.call('SADD', seats_of(node), socket_id)
  if member ~= '' then
    redis.call('HSET', SITTERS, socket_id, user_id)
    redis.call('HINCRBY', PLACES, user_id, 1)
  end
  if added then
    redis.call('HSET', MEMBERS, user_id, member)
    tell('{"kind":"memberAdded","member":' .. member .. '}')
  elseif occupied and is_user then
    tell('{"kind":"userOnline"}')
  else
    raise()
  end
end

return {
  version,
  redis.call('HLEN', SEATS),
  occupied and 1 or 0,
  added and 1 or 0,
  member ~= '' and all_members() or '[]',
  redis.call('GET', KEPT) or '',
  redis.call('PTTL', KEPT),
}
