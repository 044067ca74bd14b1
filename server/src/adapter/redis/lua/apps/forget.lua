#!lua flags=allow-oom
-- Removes keys of an app that is gone.
--
-- KEYS[1]  their common beginning
-- ARGV[1…] the end of each
for _, ending in ipairs(ARGV) do redis.call('UNLINK', KEYS[1] .. ending) end
