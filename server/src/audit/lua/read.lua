-- Reads a page of the audit log.
-- KEYS[1]: the common beginning of all keys of the audit log
-- ARGV: the first position ('-', ID or '(ID'), number of records
return redis.call('XRANGE', KEYS[1] .. ':log', ARGV[1], '+', 'COUNT', ARGV[2])
