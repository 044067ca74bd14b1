-- Sends an event out, and keeps it if it is to be kept. Answers 'late' if it did not.
local deadline, message, keep_seconds = unpack(ARGV)
if is_late(deadline) then return 'late' end
local told = tell(message)
if keep_seconds ~= '' then redis.call('SET', KEPT, told, 'EX', keep_seconds) end
return version
