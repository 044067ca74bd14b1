-- Every script on one topic begins with this. KEYS[1] names the topic, its keys begin with that name, and so does the
-- hash tag in it, which keeps them in one slot. Texts in JSON come from the nodes and are only put together here.
local TOPIC = KEYS[1]
local STATE, LOG, KEPT, ENDED = TOPIC .. ':state', TOPIC .. ':log', TOPIC .. ':kept', TOPIC .. ':ended'
local SEATS, SITTERS = TOPIC .. ':seats', TOPIC .. ':sitters'
local MEMBERS, PLACES = TOPIC .. ':members', TOPIC .. ':places'

local LOG_LENGTH, LOG_SECONDS, IDLE_SECONDS, ENDED_SECONDS = 1000, 60, 5, 86400

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

-- What arrives after its time was answered "unavailable" by the node that asked, so it must not happen any more.
local function is_late(deadline)
  return deadline ~= '' and now > tonumber(deadline)
end

-- Versions are times where possible: a topic whose state was forgotten does not begin again at versions that it had.
local state = redis.call('HMGET', STATE, 'version', 'position')
local version, position = tonumber(state[1] or now - 1), tonumber(state[2] or 0)

local function text(number)
  return string.format('%.0f', number)
end

-- What nodes say to each other is in no app; they always listen to it.
local is_of_nodes = string.find(TOPIC, '{:', 1, true) ~= nil

-- The state lives while somebody sits here. Without it a node cannot tell what it has missed, so it outlives the log;
-- where nothing was told, nobody needs it, and anybody can make names up. Once it has expired, the clock is beyond all
-- versions that were given, also if it was set back meanwhile: the end is told by the same clock.
local function save()
  redis.call('HSET', STATE, 'version', text(version), 'position', text(position))
  if is_of_nodes or redis.call('EXISTS', SEATS) == 1 then
    redis.call('PERSIST', STATE)
  else
    redis.call('EXPIRE', STATE, redis.call('EXISTS', LOG) == 1 and LOG_SECONDS or IDLE_SECONDS)
  end
end

local function raise()
  version = math.max(version + 1, now)
  save()
end

-- Sends a message to the nodes that listen, and keeps it for those whose link is down. Each one names the position
-- of the one before it, so that a node sees what it has missed.
local function tell(message)
  local previous = position
  version = math.max(version + 1, now)
  position = version
  local told = '{"version":' .. text(version) .. ',"previous":' .. text(previous) .. ',"message":' .. message .. '}'
  redis.call('RPUSH', LOG, told)
  redis.call('LTRIM', LOG, -LOG_LENGTH, -1)
  redis.call('EXPIRE', LOG, LOG_SECONDS)
  save()
  redis.call('SPUBLISH', TOPIC, told)
  return told
end

-- Notes that the last message ended something: a node that has missed it for good must know that there was one.
local function note_end()
  redis.call('SET', ENDED, text(version), 'EX', ENDED_SECONDS)
end
