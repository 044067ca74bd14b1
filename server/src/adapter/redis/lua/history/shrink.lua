#!lua flags=allow-oom
-- Drops the oldest events of a topic.
--
-- KEYS[1]  the topic
-- ARGV[1]  nonce of the first position of a channel that has none
-- ARGV[2]  bytes that must be freed
-- ARGV[3]  version up to which more than one event is dropped, or ''
-- Answers  { bytes that are left, version of the oldest event, number of dropped events }
--- @include "../lib/history"
local nonce, needed, until_version = unpack(ARGV)
local MAX_AT_ONCE = 1000
open_history(nonce)
local target, dropped = history_bytes - needed, 0
while history_bytes > target and dropped < MAX_AT_ONCE do
  local oldest = redis.call('ZRANGE', HISTORY, 0, 0)[1]
  if not oldest then break end
  if dropped > 0 and until_version ~= '' and version_of(id_of(oldest)) > tonumber(until_version) then break end
  drop_until(oldest)
  dropped = dropped + 1
end
return { history_bytes, oldest_version(), dropped }
