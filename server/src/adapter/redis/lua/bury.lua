-- Nothing is left of a node.
redis.call('ZREM', KEYS[1] .. ':leases', ARGV[1])
redis.call('ZREM', KEYS[1] .. ':lapsed', ARGV[1])
