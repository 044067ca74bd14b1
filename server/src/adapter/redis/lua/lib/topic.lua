--- @include "clock"
--- @include "topic-keys"
-- Reads `version` and `position` of a topic, and defines `next_version` and `bump_version`.
local LOG_SECONDS, IDLE_SECONDS = 60, 5

-- Versions are times where possible: a topic whose state was forgotten does not start again at versions that it had.
local state = redis.call('HMGET', STATE, 'version', 'position')
local version, position = tonumber(state[1] or now - 1), tonumber(state[2] or 0)

-- The topic of commands between nodes belongs to no app; nodes always listen to it.
local is_of_nodes = string.find(TOPIC, '{:', 1, true) ~= nil

-- The state lives as long as the topic has seats. Without its state a node cannot know what it has missed, so the state
-- outlives the log. A topic without a log is forgotten soon, because anybody can invent names. Once the state has expired,
-- the clock is beyond all versions that were given, even if it was set back meanwhile: expiry uses the same clock.
local function save_state()
  redis.call('HSET', STATE, 'version', text(version), 'position', text(position))
  if is_of_nodes or redis.call('EXISTS', SEATS) == 1 then
    redis.call('PERSIST', STATE)
  else
    local has_log = redis.call('EXISTS', LOG) == 1
    redis.call('EXPIRE', STATE, has_log and LOG_SECONDS or IDLE_SECONDS)
  end
end

-- The version that the next change makes.
local function next_version()
  return math.max(version + 1, now)
end

-- Raises the version for a change that is not announced.
local function bump_version()
  version = next_version()
  save_state()
end
