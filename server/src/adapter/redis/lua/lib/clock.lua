-- Defines `now`, the time of Redis in microseconds, and `text`, which writes a number without an exponent.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function text(number)
  return string.format('%.0f', number)
end
