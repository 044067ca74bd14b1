-- Answers JSON of the members.
return all_members()
