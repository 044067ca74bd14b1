-- Spends a nonce, within the bound of an app.
--
-- KEYS[1]  the nonces of an app, by the millisecond in which each ends
-- ARGV[1]  digest of the nonce
-- ARGV[2]  milliseconds for which it is remembered
-- ARGV[3]  number of nonces that the app may have
-- Answers  'spent', 'reused', or 'full' if there is no room
--- @include "../lib/clock"
local MAX_FORGOTTEN = 1000
local digest, milliseconds, max_nonces = unpack(ARGV)
local now_ms = math.floor(now / 1000)

local ended = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms, 'LIMIT', 0, MAX_FORGOTTEN)
if #ended > 0 then redis.call('ZREM', KEYS[1], unpack(ended)) end

local ends = redis.call('ZSCORE', KEYS[1], digest)
if ends and tonumber(ends) > now_ms then return 'reused' end
if redis.call('ZCARD', KEYS[1]) >= tonumber(max_nonces) then return 'full' end
redis.call('ZADD', KEYS[1], now_ms + milliseconds, digest)
if redis.call('PTTL', KEYS[1]) < tonumber(milliseconds) then redis.call('PEXPIRE', KEYS[1], milliseconds) end
return 'spent'
