--- @include "topic"
-- Defines `append_and_publish` and `record_end`. Nodes encode all JSON; scripts only put it together.
local LOG_LENGTH, ENDED_SECONDS = 1000, 86400

-- Publishes a message to the nodes that listen, and logs it for those whose connection is down. Each message carries the
-- position of the previous one, so that a node notices what it has missed. Returns the envelope.
local function append_and_publish(message)
  local previous = position
  version = next_version()
  position = version
  local envelope = '{"version":' .. text(version) .. ',"previous":' .. text(previous) .. ',"message":' .. message .. '}'
  redis.call('RPUSH', LOG, envelope)
  redis.call('LTRIM', LOG, -LOG_LENGTH, -1)
  redis.call('EXPIRE', LOG, LOG_SECONDS)
  save_state()
  redis.call('SPUBLISH', TOPIC, envelope)
  return envelope
end

-- Records that the last message ended something: a node that has missed it for good must know that there was one.
local function record_end()
  redis.call('SET', ENDED, text(version), 'EX', ENDED_SECONDS)
end
