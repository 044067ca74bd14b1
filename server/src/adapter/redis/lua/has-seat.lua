-- Answers 1 or 0 for each socket id.
local answers = {}
for i, socket_id in ipairs(ARGV) do answers[i] = redis.call('HEXISTS', SEATS, socket_id) end
return answers
