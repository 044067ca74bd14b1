#!lua flags=allow-oom
-- Forgets a revocation.
--
-- KEYS[1]  the revocations
-- ARGV[1]  the app
-- ARGV[2]  id
local app, id = ARGV[1], ARGV[2]
local BYTES = KEYS[1] .. ':bytes:' .. app
local bytes = redis.call('HGET', BYTES, ':' .. id)
if not bytes then return end
redis.call('ZREM', KEYS[1] .. ':ends:' .. app, id)
redis.call('HDEL', KEYS[1] .. ':kept:' .. app, id)
redis.call('HINCRBY', BYTES, 'all', -bytes)
redis.call('HDEL', BYTES, ':' .. id)
