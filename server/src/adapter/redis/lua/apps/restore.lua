-- Puts back the documents of the app store, if Redis has lost a version that a node knows.
--
-- KEYS[1]  the topic of the app store
-- ARGV[1]  deadline in microseconds
-- ARGV[2]  the version of the node
-- Then each document as id and sealed text.
-- Answers  1, 0 if the present version is not older, or 'expired'
--- @include "../lib/deadline"
--- @include "../lib/publish"
--- @include "../lib/apps"
local deadline, known = ARGV[1], ARGV[2]
if is_expired(deadline) then return 'expired' end
if present >= tonumber(known) then return 0 end
redis.call('DEL', DOCUMENTS, CHANGED, REMOVED, VERSIONS)
for index = 3, #ARGV, 2 do put(ARGV[index], ARGV[index + 1], known) end
announce(known)
return 1
