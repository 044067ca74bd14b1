return redis.call('INFO', 'persistence')
