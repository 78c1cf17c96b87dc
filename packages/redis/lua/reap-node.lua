#!lua flags=allow-oom
-- Takes users from a node whose lease lapsed, a batch at a time, and at last forgets the node. Who may resume is away
-- from now on; the others are removed, and their sessions end.
-- Atomic, because a session must end for both sides at once and be recorded once, whoever else reaps the same node, and
-- because the lease must be lost before its first user is taken. Idempotent.
-- KEYS and ARGV[1] to [3]: see registry.lua; the node is the lapsed one
-- ARGV[4] how many users at the most (1 to 1000)  [5] for how many ms a user may resume
-- Users of another version are left to nodes of that version, with the node; as nobody else can tell when to give them up,
-- they count as due to be expired from a minute later: see expire-away.lua. Entries that no version can read are removed.
-- Replies: how many users of the node are left; 0 also when none of the batch was of this version: others may follow, but
--          are not looked for at once
--          the error LATE of registry.lua
-- The lease is valid: 0, and nothing is written.

if late then return late end
if lapsesAt(nodeId) > nowMs then return 0 end
redis.call('ZADD', leasesKey, 0, nodeId)
local batch, foreign = redis.call('SPOP', membersKey, ARGV[4]), {}
for _, userId in ipairs(batch) do
  local user = read(userId)
  if not user then
    remove(userId)
  elseif user.node == nodeId then
    takeAway(user, ARGV[5], 'timeout')
  elseif user.foreign == nodeId then
    foreign[#foreign + 1] = userId
    redis.call('ZADD', awayKey, 'NX', nowMs + 60000, userId)
  end
end
if #foreign > 0 then redis.call('SADD', membersKey, unpack(foreign)) end
local left = redis.call('SCARD', membersKey)
if left == 0 then redis.call('ZREM', leasesKey, nodeId) end
writeChanged()
return #foreign < #batch and left or 0
