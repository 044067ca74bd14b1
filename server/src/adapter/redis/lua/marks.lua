-- Some of what was noted of a node.
return redis.call('SRANDMEMBER', KEYS[1] .. ':' .. ARGV[1], ARGV[2])
