#!lua flags=allow-oom
-- Gives a user who connects again to the node where they connected: the same chat, or the same place in the queue.
-- Atomic, because the user must live on one node only, and the partner's node must learn which. The token changes each
-- time; the one before stays good until retire-token.lua forgets it, as its owner may never have got the new one. So a
-- call may be repeated.
-- KEYS and ARGV[1] to [3]: see registry.lua; the node is the new one
-- ARGV[4] userId  [5] hash of the token that was shown  [6] hash of the one that follows it
-- Replies: an array: the last request id, then changes as JSON, the user's own first, then the partner's if there is one
--          nil if there is no such user, or the token is none of theirs; nothing is written then
--          the errors of registry.lua

if late then return late end
local user = read(ARGV[4])
if not user or ARGV[5] == '-' or (user.token ~= ARGV[5] and user.previousToken ~= ARGV[5]) then return nil end
local lost = leaseLost()
if lost then return lost end

local partner, before = partnerOf(user), user.node
user.node, user.token, user.previousToken = nodeId, ARGV[6], ARGV[5]
redis.call('SADD', membersKey, user.userId)
redis.call('ZREM', awayKey, user.userId)
if user.state == 'w' then redis.call('ZADD', queueKey, user.since, user.userId) end
write(user, user.state)
if before ~= '-' and before ~= nodeId then publish(before, elsewhere(user)) end
if partner then
  write(partner, 'p')
  notify(partner, user)
end
writeChanged()
return { tonumber(user.requestId), change(user, partner), unpack(touched) }
