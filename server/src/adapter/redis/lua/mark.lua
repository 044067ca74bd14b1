-- Notes what a node has to be looked for under when it is gone. KEYS[1] names the node.
redis.call('SADD', KEYS[1] .. ':' .. ARGV[1], ARGV[2])
