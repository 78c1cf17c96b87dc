#!lua flags=allow-oom
-- Looks at some of the registry's entries for users whom nobody would ever take: their node has no lease, not even a lost one,
-- or they are away and nobody knows for how long, or no version can read the entry. They are due to be expired a minute later.
-- No script leaves such an entry; a lost key, a repair by hand or an older version may have.
-- Atomic, because a user who moves in between must not be due. Idempotent.
-- KEYS and ARGV[1] to [3]: see registry.lua; the node is not used
-- ARGV[4] where to go on; 0 to begin  [5] how many users, about (1 to 1000)
-- Replies: where to go on: 0 at the end
--          the error LATE of registry.lua

if late then return late end
local page = redis.call('HSCAN', usersKey, ARGV[4], 'COUNT', ARGV[5])
local fields = page[2]
for i = 1, #fields, 2 do
  local user = read(fields[i], fields[i + 1])
  if not user or not redis.call('ZSCORE', leasesKey, user.foreign or user.node) then
    redis.call('ZADD', awayKey, 'NX', nowMs + 60000, fields[i])
  end
end
return page[1]
