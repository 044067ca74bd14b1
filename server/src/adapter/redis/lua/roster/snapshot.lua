-- Reads the state of a topic.
--
-- KEYS[1]  the topic
-- Answers  { version, subscriptions, members as JSON, kept event or '', milliseconds until that expires }
--- @include "../lib/topic"
--- @include "../lib/members"
return { version, redis.call('HLEN', SEATS), all_members(), redis.call('GET', KEPT) or '', redis.call('PTTL', KEPT) }
