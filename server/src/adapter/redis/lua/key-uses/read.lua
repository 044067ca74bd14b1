-- Reads when the keys of an app were used last.
--
-- KEYS[1]  the uses
-- Answers  { { the use with its key, Unix seconds }, … }
local fields, uses = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #fields, 2 do table.insert(uses, { fields[i], fields[i + 1] }) end
return uses
