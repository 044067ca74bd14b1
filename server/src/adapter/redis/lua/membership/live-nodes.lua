-- Reads which nodes have a lease.
--
-- KEYS[1]  what all nodes share
-- Answers  their ids
--- @include "../lib/clock"
return redis.call('ZRANGEBYSCORE', KEYS[1] .. ':leases', text(now), '+inf')
