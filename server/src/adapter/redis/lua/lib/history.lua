--- @include "topic"
-- Defines the history of a topic: `open_history`, `add_to_history` and `drop_expired`. An event has an id, "VERSION-NONCE". The
-- nonce sets it apart from an event of the same version that was lost in a failover.
-- Sorted sets by version: "ID MESSAGE", and "ID SOCKET_ID" of events that excluded a connection.
local HISTORY, EXCLUDED = TOPIC .. ':history', TOPIC .. ':excluded'
-- Hash: the ids of the newest event ever (`last`) and of the one right before the oldest (`before`), and `seconds` of the rule.
local POSITIONS = TOPIC .. ':positions'
-- The positions outlive the events, because they are valid until something after them is dropped. Those of a channel without
-- an event are forgotten sooner, because anybody can subscribe to invented names.
local POSITION_SECONDS, UNUSED_SECONDS = 691200, 3600
local last_id, before_id

local function id_of(entry)
  return string.match(entry, '^%d+%-%d+')
end

local function version_of(id)
  return tonumber(string.match(id, '^%d+'))
end

-- Reads `last_id` and `before_id`, and gives a channel without a history its first position.
local function open_history(nonce)
  last_id, before_id = unpack(redis.call('HMGET', POSITIONS, 'last', 'before'))
  if not last_id then
    last_id = text(now - 1) .. '-' .. nonce
    before_id = last_id
    redis.call('HSET', POSITIONS, 'last', last_id, 'before', before_id)
    redis.call('EXPIRE', POSITIONS, UNUSED_SECONDS)
  elseif before_id ~= last_id and redis.call('EXISTS', HISTORY) == 0 then
    before_id = last_id
    redis.call('HSET', POSITIONS, 'before', before_id)
  end
end

-- Drops the events up to one.
local function drop_until(entry)
  before_id = id_of(entry)
  local until_version = text(version_of(before_id))
  redis.call('ZREMRANGEBYSCORE', HISTORY, '-inf', until_version)
  redis.call('ZREMRANGEBYSCORE', EXCLUDED, '-inf', until_version)
  redis.call('HSET', POSITIONS, 'before', before_id)
end

local function drop_expired()
  local seconds = redis.call('HGET', POSITIONS, 'seconds')
  if not seconds then return end
  local limit = text(now - seconds * 1000000)
  local expired = redis.call('ZREVRANGEBYSCORE', HISTORY, limit, '-inf', 'LIMIT', 0, 1)[1]
  if expired then drop_until(expired) end
end

-- Adds the message that was just published.
local function add_to_history(message, nonce, excluded, seconds, messages)
  last_id = text(version) .. '-' .. nonce
  redis.call('ZADD', HISTORY, text(version), last_id .. ' ' .. message)
  if excluded ~= '' then redis.call('ZADD', EXCLUDED, text(version), last_id .. ' ' .. excluded) end
  redis.call('HSET', POSITIONS, 'last', last_id, 'seconds', seconds)
  local surplus = redis.call('ZCARD', HISTORY) - messages
  if surplus > 0 then drop_until(redis.call('ZRANGE', HISTORY, surplus - 1, surplus - 1)[1]) end
  drop_expired()
  redis.call('EXPIRE', HISTORY, seconds)
  redis.call('EXPIRE', EXCLUDED, seconds)
  redis.call('EXPIRE', POSITIONS, POSITION_SECONDS)
end
