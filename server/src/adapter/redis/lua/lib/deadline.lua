--- @include "clock"
-- Defines `is_expired`, which says whether a deadline in microseconds is over ('' is none). By then the node has answered
-- "unavailable" to the caller, so the script must change nothing.
local function is_expired(deadline)
  return deadline ~= '' and now > tonumber(deadline)
end
