-- Reads a page of the journal.
--
-- KEYS[1]  what webhooks keep in Redis
-- ARGV[1]  id of the entry after which the page begins
-- ARGV[2]  how many entries at most
-- Answers  the entries, as XRANGE does
return redis.call('XRANGE', KEYS[1] .. ':journal', '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
