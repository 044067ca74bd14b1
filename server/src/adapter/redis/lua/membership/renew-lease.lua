#!lua flags=allow-oom
-- Renews the lease of a node, marks leases that have lapsed, and assigns one lapsed node to the caller to clean up.
--
-- KEYS[1]  what all nodes share
-- ARGV[1]  id of the node
-- ARGV[2]  duration of the lease in microseconds
-- ARGV[3]  1 if the id is new
-- ARGV[4]  channel on which the node hears its own heartbeats
-- Answers  { time in microseconds, 1 if the lease holds, id of the lapsed node or '' }
--- @include "../lib/clock"
local NODES = KEYS[1]
local LEASES, LAPSED, HEARD = NODES .. ':leases', NODES .. ':lapsed', NODES .. ':heard'
local node, lease, is_new, pulse = unpack(ARGV)

-- If no node was heard for a lease, Redis was away, and not the nodes: they have as long again to come back.
local heard = tonumber(redis.call('GET', HEARD) or now)
if now - heard > tonumber(lease) then
  for _, each in ipairs(redis.call('ZRANGE', LEASES, 0, -1)) do
    redis.call('ZADD', LEASES, text(now + lease), each)
  end
end
redis.call('SET', HEARD, text(now))

local lapsed = redis.call('ZRANGEBYSCORE', LEASES, '-inf', text(now))
for _, each in ipairs(lapsed) do
  redis.call('ZREM', LEASES, each)
  redis.call('ZADD', LAPSED, text(now), each)
end
local holds = is_new == '1' or redis.call('ZSCORE', LEASES, node) ~= false
if holds then redis.call('ZADD', LEASES, text(now + lease), node) end

-- The caller has the time of one lease to clean up; then the next node is asked.
local assigned = redis.call('ZRANGEBYSCORE', LAPSED, '-inf', text(now), 'LIMIT', 0, 1)[1] or ''
if assigned ~= '' then redis.call('ZADD', LAPSED, text(now + lease), assigned) end
redis.call('SPUBLISH', pulse, '')
return { now, holds and 1 or 0, assigned }
