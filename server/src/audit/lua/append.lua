-- Appends records of one node to the audit log, once: a node that had no answer sends them again.
-- KEYS[1]: the common beginning of all keys of the audit log
-- ARGV: node, number of the last record, milliseconds to keep, records to keep, records
local log = KEYS[1] .. ':log'
local head = KEYS[1] .. ':head:' .. ARGV[1]
local written = tonumber(redis.call('GET', head) or '0')
if written >= tonumber(ARGV[2]) then
  return 0
end
for at = 5, #ARGV do
  redis.call('XADD', log, '*', 'record', ARGV[at])
end
redis.call('SET', head, ARGV[2], 'EX', 3600)
local time = redis.call('TIME')
local oldest = tonumber(time[1]) * 1000 - tonumber(ARGV[3])
redis.call('XTRIM', log, 'MINID', '~', string.format('%.0f', math.max(0, oldest)))
redis.call('XTRIM', log, 'MAXLEN', '~', ARGV[4])
return #ARGV - 4
