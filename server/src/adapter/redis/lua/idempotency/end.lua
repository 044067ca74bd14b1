-- Ends the work on the answer of a request.
--
-- KEYS[1]  the requests of the app
-- ARGV[1]  id of the request
-- ARGV[2]  `answered`, or `open` if there is no answer
-- ARGV[3]  the answer, or ''
--- @include "../lib/idempotency"
local id, state, answer = unpack(ARGV)
local fingerprint = read_record(id)
if fingerprint then
  write_record(id, fingerprint, state, answer)
  save_total()
end
