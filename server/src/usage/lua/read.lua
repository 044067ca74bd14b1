-- Reads the rows of some periods.
--
-- KEYS[1]  the usage of all apps
-- ARGV[1]  unit
-- ARGV[2]  number of apps, 0 for all
-- Then their ids, and the starts of the periods in milliseconds.
-- Answers  { rows as { start, app, "INCOMPLETE SUMS PEAKS" }, what silent nodes held as { app, "CONNECTIONS MEMBERS STARTS MILLISECONDS" } }
local ROOT = KEYS[1]
local SILENT_MS = 10000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local unit, count = ARGV[1], tonumber(ARGV[2])
local rows, held = {}, {}
for index = 3 + count, #ARGV do
  local start = ARGV[index]
  local key = ROOT .. ':' .. unit .. ':' .. start
  if count == 0 then
    local all = redis.call('HGETALL', key)
    for entry = 1, #all, 2 do rows[#rows + 1] = { start, all[entry], all[entry + 1] } end
  else
    for app = 3, 2 + count do
      local row = redis.call('HGET', key, ARGV[app])
      if row then rows[#rows + 1] = { start, ARGV[app], row } end
    end
  end
end
local nodes = redis.call('HGETALL', ROOT .. ':nodes')
for index = 1, #nodes, 2 do
  local at = string.match(nodes[index + 1], ' (%d+)$')
  if now - at >= SILENT_MS then
    local all = redis.call('HGETALL', ROOT .. ':held:' .. nodes[index])
    for entry = 1, #all, 2 do
      local heard = string.match(all[entry + 1], '(%d+)$')
      if at - heard < SILENT_MS then held[#held + 1] = { all[entry], all[entry + 1] } end
    end
  end
end
return { rows, held }
