--- @include "clock"
-- Names what is kept of connections that have ended. KEYS[1] is a hash by connection and channel; beside it are the
-- milliseconds at which each entry ends, and the bytes of all.
local LAST, ENDS, BYTES = KEYS[1], KEYS[1] .. ':ends', KEYS[1] .. ':bytes'
local now_ms = math.floor(now / 1000)
