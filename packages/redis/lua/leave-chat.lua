#!lua flags=allow-oom
-- Makes a user idle: out of the queue, or out of the session, whose partner becomes idle too. May forget the user.
-- Atomic, because the session must end for both sides at once, and the outbox and the notice must agree with that; a
-- user who leaves the queue must not be paired by somebody else in between. Idempotent by request id.
-- KEYS and ARGV[1], [2]: see registry.lua; KEYS[6] is of the user's node
-- ARGV[3] userId  [4] nodeId  [5] requestId  [6] reason  [7] number of messages in the session, or ''  [8] '1' to forget
-- Replies: an array of changes as JSON, the user's own first, then the partner's, if there was one
--          the error LATE of registry.lua
-- The user lives elsewhere: gone or away, and only the node's own set of members is cleared of the user.
-- The user has no entry: idle at revision 0. The request id is not greater than the last one: the user's present state.
-- Nothing is written in these two cases.

if late then return late end
local user = read(ARGV[3])
if not user then return { change({ userId = ARGV[3], revision = 0, state = 'i' }) } end
if user.node ~= ARGV[4] then
  redis.call('SREM', membersKey, user.userId)
  return { elsewhere(user) }
end
if tonumber(ARGV[5]) <= tonumber(user.requestId) then return { change(user, partnerOf(user)) } end

user.requestId = ARGV[5]
if user.state == 'p' then
  endSession(user, ARGV[6], ARGV[7])
elseif user.state == 'w' then
  redis.call('ZREM', queueKey, user.userId)
  write(user, 'i')
else
  write(user)
end
if ARGV[8] == '1' then
  redis.call('HDEL', usersKey, user.userId)
  redis.call('SREM', membersKey, user.userId)
end
return { change(user), unpack(touched) }
