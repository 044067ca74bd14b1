-- Reads a part of the history of a topic.
--
-- KEYS[1]  the topic
-- ARGV[1]  nonce of the first position of a channel that has none
-- ARGV[2]  id after which it begins, or ''
-- ARGV[3]  number of last events, or '' for all, if there is no id
-- ARGV[4]  most events
-- ARGV[5]  most bytes, if there is more than one event
-- ARGV[6]  socket id whose excluded events are left out, or ''
-- Answers  { last id, id right before this part, id after which the next part begins, number of events in this and all further parts,
--          1 if this part reaches the last event, events }, 'position_too_old' or 'position_unknown'
--- @include "../lib/history"
local nonce, after, newest, limit, bytes, without = unpack(ARGV)
open_history(nonce)
drop_expired()

local from, begin_id = '-inf', after ~= '' and after or before_id
if after == last_id or after == before_id then
  from = '(' .. text(version_of(after))
elseif after ~= '' then
  local at = text(version_of(after))
  local entry = redis.call('ZRANGEBYSCORE', HISTORY, at, at)[1]
  if not entry or id_of(entry) ~= after then
    return tonumber(at) < version_of(before_id) and 'position_too_old' or 'position_unknown'
  end
  from = '(' .. at
elseif newest ~= '' then
  local first = redis.call('ZRANGE', HISTORY, -newest, -newest)[1]
  if first then
    from = text(version_of(id_of(first)))
    local before = redis.call('ZREVRANGEBYSCORE', HISTORY, '(' .. from, '-inf', 'LIMIT', 0, 1)[1]
    if before then begin_id = id_of(before) end
  end
end

local left_out, excluded = 0, {}
if without ~= '' then
  for _, entry in ipairs(redis.call('ZRANGEBYSCORE', EXCLUDED, from, '+inf')) do
    local id, socket_id = string.match(entry, '^(%S+) (.*)$')
    if socket_id == without then
      excluded[id] = true
      left_out = left_out + 1
    end
  end
end

local events, next_id, room = {}, after, tonumber(bytes)
for _, entry in ipairs(redis.call('ZRANGEBYSCORE', HISTORY, from, '+inf', 'LIMIT', 0, limit)) do
  local id = id_of(entry)
  if not excluded[id] then
    if #events > 0 and #entry > room then break end
    room = room - #entry
    events[#events + 1] = entry
  end
  next_id = id
end
if next_id == '' then next_id = last_id end
local count = redis.call('ZCOUNT', HISTORY, from, '+inf') - left_out
return { last_id, begin_id, next_id, count, next_id == last_id and 1 or 0, events }
