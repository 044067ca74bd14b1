-- A sign of life of one node. KEYS[1] names what all nodes share. Answers { time, 1 if its lease stands, a node that
-- is gone and whose seats the caller shall take away, or '' }. Times are in microseconds.
local NODES = KEYS[1]
local LEASES, LAPSED, HEARD = NODES .. ':leases', NODES .. ':lapsed', NODES .. ':heard'
local node, lease, is_new, pulse = unpack(ARGV)
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function text(number) return string.format('%.0f', number) end

-- Nobody was heard for a lease: Redis was away, and not the nodes, which have as long again to come back.
local heard = tonumber(redis.call('GET', HEARD) or now)
if now - heard > tonumber(lease) then
  for _, each in ipairs(redis.call('ZRANGE', LEASES, 0, -1)) do
    redis.call('ZADD', LEASES, text(now + lease), each)
  end
end
redis.call('SET', HEARD, text(now))

local lapsed = redis.call('ZRANGEBYSCORE', LEASES, '-inf', text(now))
for _, gone in ipairs(lapsed) do
  redis.call('ZREM', LEASES, gone)
  redis.call('ZADD', LAPSED, text(now), gone)
end
local stands = is_new == '1' or redis.call('ZSCORE', LEASES, node) ~= false
if stands then redis.call('ZADD', LEASES, text(now + lease), node) end

-- Whoever is handed a node that is gone has one lease's time before the next one is.
local claimed = redis.call('ZRANGEBYSCORE', LAPSED, '-inf', text(now), 'LIMIT', 0, 1)[1] or ''
if claimed ~= '' then redis.call('ZADD', LAPSED, text(now + lease), claimed) end
redis.call('SPUBLISH', pulse, '')
return { now, stands and 1 or 0, claimed }
