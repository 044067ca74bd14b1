--- @include "topic-keys"
-- Defines `is_user_topic`: whether the topic holds the connections that are signed in as one user.
local is_user_topic = string.find(TOPIC, ':#user-', 1, true) ~= nil
