-- Publishes a message to the nodes.
--
-- KEYS[1]  what webhooks keep in Redis
-- ARGV[1]  end of the name of the channel
-- ARGV[2]  message
redis.call('SPUBLISH', KEYS[1] .. ARGV[1], ARGV[2])
