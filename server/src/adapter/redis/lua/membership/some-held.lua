-- Reads some of the topics or quotas in which a node holds something.
--
-- KEYS[1]  the node
-- ARGV[1]  'topics' or 'quotas'
-- ARGV[2]  how many at most
-- Answers  their names
return redis.call('SRANDMEMBER', KEYS[1] .. ':' .. ARGV[1], ARGV[2])
