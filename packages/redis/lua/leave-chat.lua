#!lua flags=allow-oom
-- Makes users idle: out of the queue, or out of the session, whose partner becomes idle too. May forget them.
-- Atomic, because the session must end for both sides at once, and the outbox and the notice must agree with that; a
-- user who leaves the queue must not be paired by somebody else in between. Idempotent by request ids.
-- KEYS and ARGV[1] to [3]: see registry.lua
-- ARGV[4] and further: for each user five:
--   userId   requestId   reason   number of messages in the session, or ''   '1' to forget
-- Replies: for each an array of changes as JSON, the user's own first, then the partner's, if there was one
--          who lives on the node, too
--          the error LATE of registry.lua
-- The user lives elsewhere: gone or away, and only the node's own set of members is cleared of the user.
-- The user has no entry: idle at revision 0. The request id is not greater than the last one: the user's present state.
-- Nothing is written in these two cases.

if late then return late end

local function leave(userId, requestId, reason, messages, forget)
  touched = {}
  local user = read(userId)
  if not user then return { change({ userId = userId, revision = 0, state = 'i' }) } end
  if user.node ~= nodeId then
    redis.call('SREM', membersKey, user.userId)
    return { elsewhere(user) }
  end
  if tonumber(requestId) <= tonumber(user.requestId) then return { change(user, partnerOf(user)) } end

  user.requestId = requestId
  if user.state == 'p' then
    endSession(user, reason, messages)
  elseif user.state == 'w' then
    redis.call('ZREM', queueKey, user.userId)
    write(user, 'i')
  else
    write(user)
  end
  if forget == '1' then
    entries[user.userId] = false
    redis.call('HDEL', usersKey, user.userId)
    redis.call('SREM', membersKey, user.userId)
  end
  return { change(user), unpack(touched) }
end

local replies = {}
for first = 4, #ARGV, 5 do
  replies[#replies + 1] = leave(unpack(ARGV, first, first + 4))
end
writeChanged()
return replies
