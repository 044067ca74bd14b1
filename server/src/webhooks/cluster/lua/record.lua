-- Appends entries to the journal, once for each batch however often it is sent, and wakes the nodes. The journal is
-- bounded: nobody reads it while no node works, but then nobody writes to it either.
--
-- KEYS[1]  what webhooks keep in Redis
-- ARGV[1]  id of the writer
-- ARGV[2]  number of the batch, which grows with each one of the writer
-- ARGV[3]… entries
-- Answers  'written', 'known' if the batch was written before, or 'full'
local MAX_ENTRIES, MAX_BYTES, WRITER_SECONDS = 1000000, 256 * 1024 * 1024, 3600
local JOURNAL, BYTES, WRITER = KEYS[1] .. ':journal', KEYS[1] .. ':journal-bytes', KEYS[1] .. ':writer:' .. ARGV[1]
local batch = ARGV[2]
if tonumber(redis.call('GET', WRITER) or 0) >= tonumber(batch) then return 'known' end
local entries = redis.call('XLEN', JOURNAL)
local bytes = entries > 0 and tonumber(redis.call('GET', BYTES) or 0) or 0
if entries >= MAX_ENTRIES or bytes >= MAX_BYTES then return 'full' end
for i = 3, #ARGV do
  redis.call('XADD', JOURNAL, '*', 'entry', ARGV[i])
  bytes = bytes + #ARGV[i]
end
redis.call('SET', BYTES, string.format('%d', bytes))
redis.call('SET', WRITER, batch, 'EX', WRITER_SECONDS)
redis.call('SPUBLISH', KEYS[1], '')
return 'written'
