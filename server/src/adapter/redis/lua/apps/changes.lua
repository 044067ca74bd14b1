-- Reads what has changed in the app store after a version; all of it, if the store does not know the version.
--
-- KEYS[1]  the topic of the app store
-- ARGV[1]  version
-- Answers  { present version, 1 if these are all documents, each document as id and sealed text or '' if it was removed }
--- @include "../lib/publish"
--- @include "../lib/apps"
local since = ARGV[1]
if tonumber(since) == present then return { text(present), 0, {} } end
if not redis.call('ZSCORE', VERSIONS, since) then return { text(present), 1, redis.call('HGETALL', DOCUMENTS) } end

local found = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', CHANGED, '(' .. since, '+inf')) do
  found[#found + 1] = id
  found[#found + 1] = redis.call('HGET', DOCUMENTS, id)
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', REMOVED, '(' .. since, '+inf')) do
  found[#found + 1] = id
  found[#found + 1] = ''
end
return { text(present), 0, found }
