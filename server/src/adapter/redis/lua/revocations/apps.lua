-- Reads which apps have revocations.
--
-- KEYS[1]  the revocations
-- Answers  their ids
local apps = {}
for _, app in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  if redis.call('EXISTS', KEYS[1] .. ':kept:' .. app) == 1 then table.insert(apps, app)
  else redis.call('SREM', KEYS[1], app) end
end
table.sort(apps)
return apps
