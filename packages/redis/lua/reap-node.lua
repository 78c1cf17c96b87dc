-- Removes users of a node whose lease lapsed, a batch at a time, and ends their sessions; at last forgets the node.
-- Atomic, because a session must end for both sides at once and be recorded once, whoever else reaps the same node, and
-- because the lease must still be lapsed when its users are removed. Idempotent.
-- KEYS and ARGV[1]: see registry.lua; KEYS[5] is of the lapsed node
-- ARGV[2] nodeId  [3] how many users at the most (1 to 1000)
-- Replies: how many users of the node are left
-- The lease is valid: 0, and nothing is written.

if leaseIsValid(ARGV[2]) then return 0 end
for _, userId in ipairs(redis.call('SPOP', membersKey, ARGV[3])) do
  local user = read(userId)
  if user and user.node == ARGV[2] then
    if user.state == 'p' then endSession(user, 'timeout', '') end
    redis.call('ZREM', queueKey, userId)
    redis.call('HDEL', usersKey, userId)
  end
end
local left = redis.call('SCARD', membersKey)
if left == 0 then redis.call('ZREM', leasesKey, ARGV[2]) end
return left
