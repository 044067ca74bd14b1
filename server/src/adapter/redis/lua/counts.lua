return { redis.call('HLEN', SEATS), redis.call('HLEN', MEMBERS), version }
