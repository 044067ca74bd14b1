-- Adds what happened on one node to the rows of the apps, at most once.
--
-- KEYS[1]  the usage of all apps
-- ARGV[1]  id of the node
-- ARGV[2]  number of the batch
-- ARGV[3]  1 if it is the last one of the node
-- ARGV[4]  seconds for which a row of each unit is kept, as "MINUTE HOUR DAY MONTH"
-- Then for each app and minute: app, starts of the four periods in milliseconds, 1 if something is missing, what the node
-- has now ("CONNECTIONS MEMBERS"), nine sums, three peaks of the node.
local ROOT = KEYS[1]
-- Hash by node: "SEQ MILLISECONDS" of its last batch. Hashes by app for each node: "CONNECTIONS MEMBERS STARTS MILLISECONDS".
local NODES, HELD = ROOT .. ':nodes', ROOT .. ':held:'
local UNITS = { 'minute', 'hour', 'day', 'month' }
local FIELDS, SUMS, ROW = 19, 9, 13
local HELD_ENTRY = '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$'
-- A node that was silent for so long does not count any more, or is forgotten.
local SILENT_MS, FORGOTTEN_MS = 10000, 3600000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local node, seq, is_last = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'
local seconds = {}
for each in string.gmatch(ARGV[4], '%d+') do seconds[#seconds + 1] = each end

local function text(number)
  return string.format('%.0f', number)
end

-- Adds values to a row: "INCOMPLETE SUMS PEAKS".
local function add(key, app, values)
  local row = redis.call('HGET', key, app)
  if row then
    local index = 0
    for each in string.gmatch(row, '%S+') do
      index = index + 1
      local before = tonumber(each)
      if index >= 2 and index <= SUMS + 1 then
        values[index] = values[index] + before
      else
        values[index] = math.max(values[index], before)
      end
    end
  end
  for index = 1, ROW do values[index] = text(values[index]) end
  redis.call('HSET', key, app, table.concat(values, ' '))
end

local known, others = 0, {}
local nodes = redis.call('HGETALL', NODES)
for index = 1, #nodes, 2 do
  local name = nodes[index]
  local last, at = string.match(nodes[index + 1], '^(%d+) (%d+)$')
  if name == node then
    known = tonumber(last)
  elseif now - at < SILENT_MS then
    others[#others + 1] = HELD .. name
  elseif now - at > FORGOTTEN_MS then
    -- It is not coming back: what it held when it was heard last is incomplete for good.
    local held = redis.call('HGETALL', HELD .. name)
    for entry = 1, #held, 2 do
      local _, _, minute, hour, day, month, heard = string.match(held[entry + 1], HELD_ENTRY)
      if at - heard < SILENT_MS then
        for unit, start in ipairs({ minute, hour, day, month }) do
          local key = ROOT .. ':' .. UNITS[unit] .. ':' .. start
          local row = redis.call('HGET', key, held[entry])
          if row then redis.call('HSET', key, held[entry], '1' .. string.sub(row, 2)) end
        end
      end
    end
    redis.call('DEL', HELD .. name)
    redis.call('HDEL', NODES, name)
  end
end

for first = 5, #ARGV, FIELDS do
  local app, starts = ARGV[first], { unpack(ARGV, first + 1, first + 4) }
  local incomplete, held = ARGV[first + 5], ARGV[first + 6]
  local connections, members = tonumber(ARGV[first + 16]), tonumber(ARGV[first + 17])
  for _, other in ipairs(others) do
    local theirs = redis.call('HGET', other, app)
    if theirs then
      local has_connections, has_members = string.match(theirs, '^(%d+) (%d+)')
      connections = connections + has_connections
      members = members + has_members
    end
  end
  if seq > known then
    for unit, start in ipairs(starts) do
      local key = ROOT .. ':' .. UNITS[unit] .. ':' .. start
      local values = { tonumber(incomplete) }
      for index = 1, SUMS do values[index + 1] = tonumber(ARGV[first + 6 + index]) end
      values[11], values[12], values[13] = connections, members, tonumber(ARGV[first + 18])
      add(key, app, values)
      redis.call('EXPIRE', key, seconds[unit])
    end
  end
  redis.call('HSET', HELD .. node, app, held .. ' ' .. table.concat(starts, ' ') .. ' ' .. text(now))
end

if is_last then
  redis.call('HDEL', NODES, node)
  redis.call('DEL', HELD .. node)
else
  redis.call('HSET', NODES, node, text(math.max(seq, known)) .. ' ' .. text(now))
  redis.call('EXPIRE', HELD .. node, seconds[4])
end
