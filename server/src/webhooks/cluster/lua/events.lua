-- Reads a page of the committed events of an app.
--
-- KEYS[1]  what webhooks keep in Redis
-- ARGV[1]  id of the app
-- ARGV[2]  first `seq`
-- ARGV[3]  how many events at most
-- Answers  the events, as XRANGE does
return redis.call('XRANGE', KEYS[1] .. ':events:' .. ARGV[1], ARGV[2] .. '-0', '+', 'COUNT', ARGV[3])
