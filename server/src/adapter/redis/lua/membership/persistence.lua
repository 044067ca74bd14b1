-- Reads how Redis persists its data.
--
-- KEYS[1]  any key
-- Answers  the section of INFO as text
return redis.call('INFO', 'persistence')
