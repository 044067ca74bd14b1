-- Reads a page of a hash.
--
-- KEYS[1]  what webhooks keep in Redis
-- ARGV[1]  end of the name of the hash
-- ARGV[2]  cursor
-- Answers  { next cursor, fields and values in turn }
return redis.call('HSCAN', KEYS[1] .. ':' .. ARGV[1], ARGV[2], 'COUNT', 1000)
