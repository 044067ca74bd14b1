-- Publishes a message, and keeps it if it is an event that is to be kept.
--
-- KEYS[1]  the topic
-- ARGV[1]  deadline in microseconds
-- ARGV[2]  message as JSON
-- ARGV[3]  seconds for which it is kept, or ''
-- ARGV[4]  1 if the message ends something
-- Answers  version of the message, or 'expired'
--- @include "../lib/deadline"
--- @include "../lib/publish"
local deadline, message, keep_seconds, is_end = unpack(ARGV)
if is_expired(deadline) then return 'expired' end
local envelope = append_and_publish(message)
if keep_seconds ~= '' then redis.call('SET', KEPT, envelope, 'EX', keep_seconds) end
if is_end == '1' then record_end() end
return version
