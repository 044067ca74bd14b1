-- Counts the seats and members of a topic.
--
-- KEYS[1]  the topic
-- Answers  { subscriptions, members, version }
--- @include "../lib/topic"
return { redis.call('HLEN', SEATS), redis.call('HLEN', MEMBERS), version }
