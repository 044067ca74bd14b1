#!lua flags=allow-oom
-- Drops the oldest events of a topic. Several nodes may count the same excess: what one of them has dropped, no other drops again.
--
-- KEYS[1]  the topic
-- ARGV[1]  nonce of the first position of a channel that has none
-- ARGV[2]  most bytes that are kept
-- ARGV[3]  version up to which events are dropped, or ''
-- Answers  { bytes that are left, version of the oldest event, number of dropped events }
--- @include "../lib/history"
local nonce, max_bytes, until_version = unpack(ARGV)
local MAX_AT_ONCE = 1000
open_history(nonce)
local dropped = 0
while history_bytes > tonumber(max_bytes) and dropped < MAX_AT_ONCE do
  local oldest = redis.call('ZRANGE', HISTORY, 0, 0)[1]
  if not oldest then break end
  if until_version ~= '' and version_of(id_of(oldest)) > tonumber(until_version) then break end
  drop_until(oldest)
  dropped = dropped + 1
end
return { history_bytes, oldest_version(), dropped }
