-- Names the keys of a topic. KEYS[1] is their common beginning; its hash tag keeps them in one slot of a cluster.
local TOPIC = KEYS[1]
local STATE, LOG, KEPT, ENDED = TOPIC .. ':state', TOPIC .. ':log', TOPIC .. ':kept', TOPIC .. ':ended'
-- Strings by request: "FINGERPRINT VERSION NONCE" of the event that it has published.
local PUBLISHED_ONCE = TOPIC .. ':once:'
-- Hashes by socket id: the seat as "NODE VERSION JSON", and the user id of the member.
local SEATS, MEMBER_OF_SEAT = TOPIC .. ':seats', TOPIC .. ':sitters'
-- Hashes by user id: the member as JSON, and the number of its seats.
local MEMBERS, SEATS_OF_MEMBER = TOPIC .. ':members', TOPIC .. ':places'
