-- Reads the messages of a topic after a position, as far as the log still has them.
--
-- KEYS[1]  the topic
-- ARGV[1]  position, or '' for no messages
-- Answers  { version, position, messages, version of the last message that ended something or 0 }
--- @include "../lib/topic"
local seen = ARGV[1]
local ended = tonumber(redis.call('GET', ENDED) or 0)
local messages = {}
if seen ~= '' and position > tonumber(seen) then
  for _, envelope in ipairs(redis.call('LRANGE', LOG, 0, -1)) do
    local envelope_version = tonumber(string.match(envelope, '^{"version":(%d+)'))
    if envelope_version > tonumber(seen) then table.insert(messages, envelope) end
  end
end
return { version, position, messages, ended }
