-- Reads a page of the names of an index, in their order.
--
-- KEYS[1]  the index
-- ARGV[1]  first name, as ZRANGEBYLEX reads it
-- ARGV[2]  last name, as ZRANGEBYLEX reads it
-- ARGV[3]  how many names at most
-- Answers  the names
return redis.call('ZRANGEBYLEX', KEYS[1] .. ':names', ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
