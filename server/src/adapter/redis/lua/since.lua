-- Answers { version, position, messages, version of the last message that ended something or 0 }. The messages are
-- those after a position that are still there.
local seen = ARGV[1]
local ended = tonumber(redis.call('GET', ENDED) or 0)
local messages = {}
if seen ~= '' and position > tonumber(seen) then
  for _, told in ipairs(redis.call('LRANGE', LOG, 0, -1)) do
    if tonumber(string.match(told, '^{"version":(%d+)')) > tonumber(seen) then table.insert(messages, told) end
  end
end
return { version, position, messages, ended }
