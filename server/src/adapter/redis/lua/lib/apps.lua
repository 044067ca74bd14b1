-- Names the keys of the app store beside those of its topic, and defines `present`, `put` and `announce`.
local DOCUMENTS, VERSION = TOPIC .. ':documents', TOPIC .. ':version'
-- Sorted by version: the last change of each document, the removal of others, and the last changes of all.
local CHANGED, REMOVED, VERSIONS = TOPIC .. ':changed', TOPIC .. ':removed', TOPIC .. ':versions'
local KNOWN_VERSIONS = 1000

local present = tonumber(redis.call('GET', VERSION) or 0)

-- Writes a document; '' removes it.
local function put(id, sealed, at)
  redis.call('ZREM', sealed == '' and CHANGED or REMOVED, id)
  redis.call('ZADD', sealed == '' and REMOVED or CHANGED, at, id)
  if sealed == '' then redis.call('HDEL', DOCUMENTS, id) else redis.call('HSET', DOCUMENTS, id, sealed) end
end

-- Makes a version the present one, and announces it to all nodes.
local function announce(at)
  redis.call('SET', VERSION, at)
  redis.call('ZADD', VERSIONS, at, at)
  redis.call('ZREMRANGEBYRANK', VERSIONS, 0, -KNOWN_VERSIONS - 1)
  local oldest = redis.call('ZRANGE', VERSIONS, 0, 0)[1]
  redis.call('ZREMRANGEBYSCORE', REMOVED, '-inf', '(' .. oldest)
  append_and_publish('{"version":' .. at .. '}')
end
