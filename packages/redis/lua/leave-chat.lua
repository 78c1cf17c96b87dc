-- Makes a user idle: out of the queue, or out of the session, whose partner becomes idle too. May forget the user.
-- Atomic, because the session must end for both sides at once, and the outbox and the notice must agree with that; a
-- user who leaves the queue must not be paired by somebody else in between. Idempotent by request id.
-- KEYS and ARGV[1]: see registry.lua; KEYS[5] is of the user's node
-- ARGV[2] userId  [3] requestId  [4] reason  [5] number of messages in the session  [6] '1' to forget the user
-- Replies: an array of changes as JSON, the user's own first, then the partner's, if there was one
-- The user has no entry: idle at revision 0, and nothing is written.
-- The request id is not greater than the last one: the user's present state, and nothing is written.

local user, requestId = read(ARGV[2]), tonumber(ARGV[3])
if not user then return { cjson.encode({ userId = ARGV[2], revision = 0, state = 'i' }) } end
if requestId <= user.requestId then
  local partner = user.state == 'p' and read(user.other)
  return { change(user, partner and partner.node) }
end

user.requestId = requestId
if user.state == 'p' then
  endSession(user, ARGV[4], ARGV[5])
elseif user.state == 'w' then
  redis.call('ZREM', queueKey, user.userId)
  write(user, 'i')
else
  write(user)
end
if ARGV[6] == '1' then
  redis.call('HDEL', usersKey, user.userId)
  redis.call('SREM', membersKey, user.userId)
end
table.insert(touched, 1, change(user))
return touched
