-- Publishes a message, and keeps it if it is an event that is to be kept. An event that is published once is recorded in the
-- same step, and not published again.
--
-- KEYS[1]  the topic
-- ARGV[1]  deadline in microseconds
-- ARGV[2]  message as JSON
-- ARGV[3]  seconds for which it is kept, or ''
-- ARGV[4]  1 if the message ends something
-- ARGV[5]  id of the request if the event is published once, or ''
-- ARGV[6]  fingerprint of the request
-- ARGV[7]  seconds for which the record is kept
-- ARGV[8…] if it is added to the history: seconds and number of messages of the rule, nonce, and the excluded socket id or ''
-- Answers  version of the message, or { it, bytes of the history, version of its oldest event }, or
--          { 'repeated', version, nonce or '' } of the event that was published before, or 'expired'
--- @include "../lib/deadline"
--- @include "../lib/publish"
--- @include "../lib/history"
local deadline, message, keep_seconds, is_end, once, fingerprint, once_seconds = unpack(ARGV)
local history_seconds, history_messages, nonce, excluded = unpack(ARGV, 8)
if is_expired(deadline) then return 'expired' end
if once ~= '' then
  local before = redis.call('GET', PUBLISHED_ONCE .. once)
  local known, known_version, known_nonce = string.match(before or '', '^(%S+) (%d+) (%d*)$')
  if known == fingerprint then return { 'repeated', known_version, known_nonce } end
end
if history_seconds then
  open_history(nonce)
  -- The positions outlive the version of the topic, and the clock may have been set back meanwhile.
  version = math.max(version, version_of(last_id))
end
local envelope = append_and_publish(message)
if once ~= '' then
  local record = fingerprint .. ' ' .. text(version) .. ' ' .. (nonce or '')
  redis.call('SET', PUBLISHED_ONCE .. once, record, 'EX', once_seconds)
end
if keep_seconds ~= '' then redis.call('SET', KEPT, envelope, 'EX', keep_seconds) end
if is_end == '1' then record_end() end
if history_seconds then add_to_history(message, nonce, excluded, history_seconds, tonumber(history_messages)) end
if history_seconds then return { version, history_bytes, oldest_version() } end
return version
