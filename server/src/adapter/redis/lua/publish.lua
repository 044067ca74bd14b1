-- Sends a message out. Keeps it if it is an event that is to be kept; ENDS is 1 if it ends something. Answers 'late' if
-- it did not.
local deadline, message, keep_seconds, ends = unpack(ARGV)
if is_late(deadline) then return 'late' end
local told = tell(message)
if keep_seconds ~= '' then redis.call('SET', KEPT, told, 'EX', keep_seconds) end
if ends == '1' then note_end() end
return version
