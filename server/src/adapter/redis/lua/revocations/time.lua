-- Tells the time by which all nodes date revocations.
--
-- KEYS[1]  the revocations
-- Answers  Unix milliseconds
--- @include "../lib/clock"
return math.floor(now / 1000)
