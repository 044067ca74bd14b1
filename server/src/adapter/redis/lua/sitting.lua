-- Answers the seats of the topic: socket id and what is stored, by turns.
return redis.call('HGETALL', SEATS)
