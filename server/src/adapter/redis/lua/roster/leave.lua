#!lua flags=allow-oom
-- Gives up a seat.
--
-- KEYS[1]  the topic
-- ARGV[1]  socket id
-- Answers  { version, subscriptions, what changed as `vacate` returns it }, or nothing if there is no such seat
--- @include "../lib/vacate"
local change = vacate(ARGV[1])
if not change then return false end
return { version, redis.call('HLEN', SEATS), change }
