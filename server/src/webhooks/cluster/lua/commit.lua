-- Makes the changes of a leader, if its term still holds the leadership.
--
-- KEYS[1]  what webhooks keep in Redis
-- ARGV[1]  id of the term
-- ARGV[2]  changes as JSON, each a list of a command, the end of the name of its key, and further arguments
-- Answers  'committed', or 'notLeader'
if redis.call('GET', KEYS[1] .. ':clerk') ~= ARGV[1] then return 'notLeader' end
for _, change in ipairs(cjson.decode(ARGV[2])) do
  redis.call(change[1], KEYS[1] .. ':' .. change[2], unpack(change, 3))
end
return 'committed'
