-- Sets a key aside whose value another program has replaced, so that it cannot stop the webhooks of all apps. The value stays
-- under another name, for an operator to look at.
local function set_aside(key) redis.call('RENAME', key, key .. ':set-aside') end
