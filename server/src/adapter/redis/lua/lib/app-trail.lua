-- Names the keys of what lies beside the documents of the app store: entries by number ("N ENTRY"), and answers by key.
local ENTRIES, LAST_ENTRY = TOPIC .. ':entries', TOPIC .. ':entry'
local ANSWERS, ANSWER_ENDS = TOPIC .. ':answers', TOPIC .. ':answer-ends'
