return { redis.call('GET', KEPT) or '', redis.call('PTTL', KEPT) }
