#!lua flags=allow-oom
-- Makes a nonce unspent.
--
-- KEYS[1]  the nonces of an app
-- ARGV[1]  digest of the nonce
redis.call('ZREM', KEYS[1], ARGV[1])
return 1
