-- Takes a seat, or moves one that is taken to another node.
--
-- KEYS[1]  the topic
-- ARGV[1]  deadline in microseconds
-- ARGV[2]  id of the node
-- ARGV[3]  socket id
-- ARGV[4]  seat as JSON
-- ARGV[5]  user id as JSON, or ''
-- ARGV[6]  member as JSON, or ''
-- ARGV[7]  number of members above which a new one is refused, or ''
-- ARGV[8]  nonce of the first position of the history, or '' if the position is not wanted
-- Answers  { version, subscriptions, 1 if the topic became occupied, 1 if a member was added, members as JSON or '[]',
--          kept event or '', milliseconds until that expires, id of the newest event of the history or '' }, 'full' or
--          'expired'
--- @include "../lib/deadline"
--- @include "../lib/publish"
--- @include "../lib/history"
--- @include "../lib/seats"
--- @include "../lib/members"
--- @include "../lib/user-topic"
local deadline, node, socket_id, seat, user_id, member, max_members, nonce = unpack(ARGV)
if is_expired(deadline) then return 'expired' end

local is_occupied, is_added = false, false
local taken = redis.call('HGET', SEATS, socket_id)
if taken then
  if node_of(taken) ~= node then
    redis.call('SREM', seats_of_node(node_of(taken)), socket_id)
    redis.call('SADD', seats_of_node(node), socket_id)
    local joined_at = string.match(taken, '^%S+ (%S+) ')
    redis.call('HSET', SEATS, socket_id, node .. ' ' .. joined_at .. ' ' .. seat)
  end
else
  is_added = member ~= '' and redis.call('HEXISTS', MEMBERS, user_id) == 0
  if is_added and max_members ~= '' and redis.call('HLEN', MEMBERS) >= tonumber(max_members) then return 'full' end
  redis.call('HSET', SEATS, socket_id, node .. ' ' .. text(next_version()) .. ' ' .. seat)
  is_occupied = redis.call('HLEN', SEATS) == 1
  redis.call('SADD', seats_of_node(node), socket_id)
  if member ~= '' then
    redis.call('HSET', MEMBER_OF_SEAT, socket_id, user_id)
    redis.call('HINCRBY', SEATS_OF_MEMBER, user_id, 1)
  end
  if is_added then
    redis.call('HSET', MEMBERS, user_id, member)
    append_and_publish('{"kind":"memberAdded","member":' .. member .. '}')
  elseif is_occupied and is_user_topic then
    append_and_publish('{"kind":"userOnline"}')
  else
    bump_version()
  end
end

if nonce ~= '' then open_history(nonce) end
return {
  version,
  redis.call('HLEN', SEATS),
  is_occupied and 1 or 0,
  is_added and 1 or 0,
  member ~= '' and all_members() or '[]',
  redis.call('GET', KEPT) or '',
  redis.call('PTTL', KEPT),
  last_id or '',
}
