--- @include "topic"
-- Defines the history of a topic: `open_history`, `add_to_history` and `drop_expired`. An event has an id, "VERSION-NONCE". The
-- nonce sets it apart from an event of the same version that was lost in a failover.
-- Sorted sets by version: "ID MESSAGE", and "ID SOCKET_ID" of events that excluded a connection.
local HISTORY, EXCLUDED = TOPIC .. ':history', TOPIC .. ':excluded'
-- Hash: the ids of the newest event ever (`last`) and of the one right before the oldest (`before`), `seconds` of the rule, and the
-- `bytes` of the events.
local POSITIONS = TOPIC .. ':positions'
-- The positions outlive the events, because they are valid until something after them is dropped. Those of a channel without
-- an event are forgotten sooner, because anybody can subscribe to invented names.
-- Bytes beside its text that an event counts with.
local OVERHEAD = 200
local POSITION_SECONDS, UNUSED_SECONDS = 691200, 3600
local last_id, before_id, history_bytes

local function id_of(entry)
  return string.match(entry, '^%d+%-%d+')
end

local function version_of(id)
  return tonumber(string.match(id, '^%d+'))
end

-- Reads `last_id` and `before_id`, and gives a channel without a history its first position.
local function open_history(nonce)
  local stored_bytes
  last_id, before_id, stored_bytes = unpack(redis.call('HMGET', POSITIONS, 'last', 'before', 'bytes'))
  history_bytes = tonumber(stored_bytes or 0)
  if not last_id then
    last_id = text(now - 1) .. '-' .. nonce
    before_id = last_id
    redis.call('HSET', POSITIONS, 'last', last_id, 'before', before_id)
    redis.call('EXPIRE', POSITIONS, UNUSED_SECONDS)
  elseif before_id ~= last_id and redis.call('EXISTS', HISTORY) == 0 then
    before_id = last_id
    history_bytes = 0
    redis.call('HSET', POSITIONS, 'before', before_id, 'bytes', 0)
  end
end

-- Drops the events up to one.
local function drop_until(entry)
  before_id = id_of(entry)
  local until_version = text(version_of(before_id))
  for _, dropped in ipairs(redis.call('ZRANGEBYSCORE', HISTORY, '-inf', until_version)) do
    history_bytes = history_bytes - #dropped - OVERHEAD
  end
  redis.call('ZREMRANGEBYSCORE', HISTORY, '-inf', until_version)
  redis.call('ZREMRANGEBYSCORE', EXCLUDED, '-inf', until_version)
  redis.call('HSET', POSITIONS, 'before', before_id, 'bytes', text(history_bytes))
end

local function drop_expired()
  local seconds = redis.call('HGET', POSITIONS, 'seconds')
  if not seconds then return end
  local limit = text(now - seconds * 1000000)
  local expired = redis.call('ZREVRANGEBYSCORE', HISTORY, limit, '-inf', 'LIMIT', 0, 1)[1]
  if expired then drop_until(expired) end
end

-- The version of the oldest event, or of the newest position if there is none.
local function oldest_version()
  return tonumber(redis.call('ZRANGE', HISTORY, 0, 0, 'WITHSCORES')[2] or version_of(last_id))
end

-- Adds the message that was just published.
local function add_to_history(message, nonce, excluded, seconds, messages)
  last_id = text(version) .. '-' .. nonce
  local entry = last_id .. ' ' .. message
  redis.call('ZADD', HISTORY, text(version), entry)
  history_bytes = history_bytes + #entry + OVERHEAD
  if excluded ~= '' then redis.call('ZADD', EXCLUDED, text(version), last_id .. ' ' .. excluded) end
  redis.call('HSET', POSITIONS, 'last', last_id, 'seconds', seconds, 'bytes', text(history_bytes))
  local surplus = redis.call('ZCARD', HISTORY) - messages
  if surplus > 0 then drop_until(redis.call('ZRANGE', HISTORY, surplus - 1, surplus - 1)[1]) end
  drop_expired()
  redis.call('EXPIRE', HISTORY, seconds)
  redis.call('EXPIRE', EXCLUDED, seconds)
  redis.call('EXPIRE', POSITIONS, POSITION_SECONDS)
end
