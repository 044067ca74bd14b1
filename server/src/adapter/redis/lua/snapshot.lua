-- Answers { version, subscriptions, JSON of the members, kept event, milliseconds that it is kept }.
return { version, redis.call('HLEN', SEATS), all_members(), redis.call('GET', KEPT) or '', redis.call('PTTL', KEPT) }
