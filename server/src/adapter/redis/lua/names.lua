-- A page of the names of a list, in their order. ARGV: from and to, as ZRANGEBYLEX reads them, and how many.
return redis.call('ZRANGEBYLEX', KEYS[1] .. ':names', ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
