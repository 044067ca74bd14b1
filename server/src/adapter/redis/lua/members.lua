return redis.call('HVALS', MEMBERS)
